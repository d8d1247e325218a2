"""The parts of the proof that `storage.verification` puts together.

Nothing here calls the functions of the triggers or shares code with the deciding side: a mistake made
there is not to be made again here. Tables are read from the heap, never through an index.
"""
