from lab.cli.main import main

main()
