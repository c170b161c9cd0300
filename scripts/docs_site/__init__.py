"""The documentation as a site: the pages of docs/ in two languages, and one of all commands."""
