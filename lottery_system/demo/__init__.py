"""Demo: a month that people played in a made-up club, and the doors by which visitors enter it.

The code is that of any lottery, with the clock as an argument. Who does what is the same in every
demo; keys, secrets and so the winners are not.
"""
