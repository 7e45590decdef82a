"""What other systems' clients call, a folder each: routes, requests, responses.

May import core and below. A surface reads its requests into our tasks' inputs and writes our
answers in its shape; none knows another, but that OpenAI's batches run its own and v2's lines.
"""
