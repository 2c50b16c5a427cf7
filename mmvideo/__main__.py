"""`python -m mmvideo` is the command `mmvideo`."""

from mmvideo.cli import main

if __name__ == "__main__":
    main()
