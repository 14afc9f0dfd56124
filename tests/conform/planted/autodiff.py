"""Reverse-mode differentiation of numpy code, as little as the planted bugs need: `Array` behaves like an array and
remembers how it was made. NaN travels as in PyTorch: 0·NaN is NaN, `where` selects."""
import numpy as np


class Array:
    __array_priority__ = 100  # numpy leaves mixed operations to this class

    def __init__(self, value, parents=()):
        self.value, self.parents = np.asarray(value), parents  # parents: (Array, function of the gradient)

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)

    def __add__(self, other):
        return binary(self, other, np.add, lambda g, a, b: g, lambda g, a, b: g)

    def __sub__(self, other):
        return binary(self, other, np.subtract, lambda g, a, b: g, lambda g, a, b: -g)

    def __rsub__(self, other):
        return as_array(other, self) - self

    def __mul__(self, other):
        return binary(self, other, np.multiply, lambda g, a, b: g * b, lambda g, a, b: g * a)

    def __truediv__(self, other):
        return binary(self, other, np.divide, lambda g, a, b: g / b, lambda g, a, b: -g * a / (b * b))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1

    def __getitem__(self, index):
        def back(g):
            out = np.zeros_like(self.value)
            np.add.at(out, index, g)
            return out
        return Array(self.value[index], [(self, back)])

    def reshape(self, *shape):
        return Array(self.value.reshape(*shape), [(self, lambda g: g.reshape(self.shape))])

    def sum(self, axis=None, keepdims=False):
        def back(g):
            g = np.expand_dims(g, axis) if axis is not None and not keepdims else g
            return np.broadcast_to(g, self.shape)
        return Array(self.value.sum(axis=axis, keepdims=keepdims), [(self, back)])

    def mean(self, axis=None):
        n = self.value.size if axis is None else self.shape[axis]
        return self.sum(axis) / (n if n else np.nan)


def as_array(x, like):
    return x if isinstance(x, Array) else Array(np.asarray(x, like.value.dtype))


def shrink(g, shape):
    """The gradient of what was broadcast to g's shape."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
    narrow = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=narrow, keepdims=True) if narrow else g


def binary(a, b, function, back_a, back_b):
    a, b = as_array(a, b if isinstance(b, Array) else a), as_array(b, a)
    x, y = a.value, b.value
    return Array(function(x, y), [(a, lambda g: shrink(back_a(g, x, y), x.shape)), (b, lambda g: shrink(back_b(g, x, y), y.shape))])


def exp(a):
    out = np.exp(a.value)
    return Array(out, [(a, lambda g: g * out)])


def log(a):
    return Array(np.log(a.value), [(a, lambda g: g / a.value)])


def tanh(a):
    out = np.tanh(a.value)
    return Array(out, [(a, lambda g: g * (1 - out * out))])


def clip(a, low, high):
    inside = (a.value >= low) & (a.value <= high)
    return Array(np.clip(a.value, low, high), [(a, lambda g: np.where(inside, g, 0))])


def where(condition, a, b):
    a, b = as_array(a, b if isinstance(b, Array) else a), as_array(b, a if isinstance(a, Array) else b)
    return Array(np.where(condition, a.value, b.value),
                 [(a, lambda g: shrink(np.where(condition, g, 0), a.shape)), (b, lambda g: shrink(np.where(condition, 0, g), b.shape))])


def logsumexp(a, axis=-1):
    top = a.value.max(axis=axis, keepdims=True) if a.value.size else np.zeros_like(a.value).sum(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    e = np.exp(a.value - top)
    total = e.sum(axis=axis, keepdims=True)
    return Array(np.squeeze(np.log(total) + top, axis), [(a, lambda g: np.expand_dims(g, axis) * e / total)])


def log_softmax(a, axis=-1):
    lse = logsumexp(a, axis)
    return a - lse.reshape(*np.expand_dims(lse.value, axis).shape)


def softmax(a, axis=-1):
    return exp(log_softmax(a, axis))


def take(a, ids):
    """a[..., ids[...]]: of the last axis, one entry each. Ids outside of it are an IndexError, as in PyTorch."""
    if ids.size and not ((ids >= 0) & (ids < a.shape[-1])).all():
        raise IndexError("Target is out of bounds")

    def back(g):
        out = np.zeros_like(a.value)
        np.put_along_axis(out, ids[..., None], g[..., None], -1)
        return out
    return Array(np.take_along_axis(a.value, ids[..., None], -1)[..., 0], [(a, back)])


def nll_loss(log_p, y):
    """-log_p[..., y], and 0 where y is -100: torch.nn.functional.nll_loss with reduction="none"."""
    ignored = y == -100
    return where(ignored, Array(np.zeros(y.shape, log_p.value.dtype)), -take(log_p, np.where(ignored, 0, y)))


def cross_entropy(z, y):
    return nll_loss(log_softmax(z), y)


def gradients(value, leaves, upstream):
    """d(Σ upstream·value) by each leaf."""
    order, seen, open_ = [], set(), [(value, False)]
    while open_:  # parents first; no recursion, for sums of thousands
        a, is_done = open_.pop()
        if is_done:
            order.append(a)
        elif id(a) not in seen:
            seen.add(id(a))
            open_ += [(a, True), *((parent, False) for parent, _ in a.parents)]
    found = {id(value): np.broadcast_to(np.asarray(upstream, value.value.dtype), value.shape)}
    for a in reversed(order):
        g = found.get(id(a))
        for parent, back in a.parents if g is not None else ():
            part = back(g)
            found[id(parent)] = found[id(parent)] + part if id(parent) in found else part
    return [np.array(found.get(id(x), np.zeros_like(x.value))) for x in leaves]
