"""Run the command line as ``python -m initsk``."""

from initsk.cli import main

if __name__ == "__main__":
    main()
