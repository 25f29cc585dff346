"""The texts that people see, in each language: a catalogue each, and how they are found."""
