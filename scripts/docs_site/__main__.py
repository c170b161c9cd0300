"""Before and after the generator:

python -m scripts.docs_site stage FOLDER     writes what it reads
python -m scripts.docs_site index SITE       completes what it has written
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.docs_site.search import write_index
from scripts.docs_site.stage import stage

match sys.argv[1:]:
    case ["stage", folder]:
        stage(Path(__file__).parent.parent.parent, Path(folder))
    case ["index", site]:
        write_index(Path(site))
    case _:
        sys.exit(__doc__)
