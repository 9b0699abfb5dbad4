"""`python -m factory` is `factory`."""

from factory.cli import main

if __name__ == "__main__":
    main()
