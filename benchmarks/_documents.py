"""x"""


def rewrite_documents(store, root):
    pass
