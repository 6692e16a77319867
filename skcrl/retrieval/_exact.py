"""Exact search by inner products, block by block."""

import numpy as np

# Numbers in the largest array of a block: 16 MB in float32 stay close to the cache.
CELLS = 2**22
_QUERIES = 1024


def nearest(queries, codes, k):
    """The k codes of largest inner product with each query.

    Products are screened in float32 and decided in float64: rounding cannot take a
    product further from its value than a bound, and whatever is within that bound of
    the k-th best so far is computed again. The answer is that of float64, at the cost
    of one product in float32. No array is larger than a block, whatever the number
    of queries and codes.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_components)
        Of length one or zero.
    codes : ndarray of shape (n_items, n_components)
        Of length one or zero.
    k : int
        At most n_items.

    Returns
    -------
    similarities : ndarray of float64, shape (n_queries, k)
        Inner products, largest first.
    positions : ndarray of int64, shape (n_queries, k)
        Rows of `codes`. Which of equal products are taken is left open.
    """
    similarities = np.empty((len(queries), k))
    positions = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), _QUERIES):
        rows = slice(start, start + _QUERIES)
        similarities[rows], positions[rows] = _nearest(queries[rows], codes, k)
    return similarities, positions


def _nearest(queries, codes, k):
    n, width = queries.shape
    screen, queries = queries.astype(np.float32), queries.astype(np.float64)
    # Both factors, their products, the sum of `width` terms and the floor are rounded
    # to float32, by half a unit each; a hundredth more is for the second order.
    slack = 1.01 * (width + 4) * 2.0**-24 * np.linalg.norm(queries, axis=1)
    similarities = np.full((n, k), -np.inf)
    positions = np.full((n, k), -1, dtype=np.int64)
    size = max(CELLS // max(n, width), k)
    for start in range(0, len(codes), size):
        block = codes[start : start + size]
        floor = (similarities[:, -1] - slack).astype(np.float32)
        products = screen @ block.astype(np.float32, copy=False).T
        hits = np.flatnonzero(products > floor[:, None])
        if len(hits) == 0:
            continue
        if len(hits) * width > CELLS:
            rows, columns, found = _best_of_block(queries, block, k)
        else:
            rows, columns = np.divmod(hits, len(block))
            found = _row_products(queries[rows], block[columns])
        rows = np.concatenate([np.repeat(np.arange(n), k), rows])
        found = np.concatenate([similarities.ravel(), found])
        columns = np.concatenate([positions.ravel(), columns + start])
        order = np.lexsort((columns, -found, rows))
        first = np.searchsorted(rows[order], np.arange(n))
        best = order[first[:, None] + np.arange(k)]
        similarities, positions = found[best], columns[best]
    return similarities, positions


def _best_of_block(queries, block, k):
    """Where the screen lets too many through: the first block, or near duplicates."""
    products = queries @ block.astype(np.float64, copy=False).T
    k = min(k, len(block))
    columns = np.argpartition(products, -k, axis=1)[:, -k:]
    rows = np.repeat(np.arange(len(queries)), k)
    columns = columns.ravel()
    return rows, columns, products[rows, columns]


def _row_products(A, B):
    return np.einsum("ij,ij->i", A, B.astype(np.float64, copy=False))
