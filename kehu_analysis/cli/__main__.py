"""``python -m kehu_analysis.cli`` is ``kehu``."""

from kehu_analysis.cli import main

if __name__ == "__main__":
    main()
