"""Loops that numba compiles for the types that they are first called with; all release the GIL."""

from __future__ import annotations

import numpy as np

from .options import compiled, compiled_exactly

# Patches of images ----------------------------------------------------------------------

# Slicing out a row and counting from zero avoids a check for negative indices.


@compiled
def take_patches(x, out, stride, padding):  # type: ignore[no-untyped-def]
    """Write the patches of x (n, h, w c) into out (n, rows, columns, kernel, kernel c)."""
    n, h, breadth = x.shape
    _, rows, columns, kernel, width = out.shape
    c = width // kernel
    for image in range(n):
        for row in range(rows):
            for column in range(columns):
                left = (column * stride - padding) * c
                first = min(max(0, -left), width)
                stop = max(min(width, breadth - left), first)
                for a in range(kernel):
                    y = row * stride + a - padding
                    to = out[image, row, column, a]
                    if y < 0 or y >= h:
                        to[:] = 0
                        continue
                    to[:first] = 0
                    to[stop:] = 0
                    inside, pixels = to[first:stop], x[image, y, left + first : left + stop]
                    for j in range(len(inside)):
                        inside[j] = pixels[j]


@compiled
def add_patches(p, out, stride, padding):  # type: ignore[no-untyped-def]
    """Write the sums of patches p (n, rows, columns, kernel, kernel c) into out (n, h, w c)."""
    n, h, breadth = out.shape
    _, rows, columns, kernel, width = p.shape
    c = width // kernel
    out[:] = 0
    for image in range(n):
        for row in range(rows):
            for column in range(columns):
                left = (column * stride - padding) * c
                first = min(max(0, -left), width)
                stop = max(min(width, breadth - left), first)
                for a in range(kernel):
                    y = row * stride + a - padding
                    if y >= 0 and y < h:
                        inside = p[image, row, column, a, first:stop]
                        pixels = out[image, y, left + first : left + stop]
                        for j in range(len(inside)):
                            pixels[j] += inside[j]


# Batch normalisation and ReLU of rows (n, width), each of which holds several pixels ------------


@compiled
def column_moments(x, mean, squares):  # type: ignore[no-untyped-def]
    """Write the means (c,) of pixels in x (n, width), and sums of squares around them."""
    n, width = x.shape
    c = len(mean)
    total = np.zeros(width, np.float32)
    for i in range(n):
        row = x[i]
        for j in range(width):
            total[j] += row[j]
    mean[:] = 0
    for j in range(width):
        mean[j % c] += total[j]
    for k in range(c):
        mean[k] /= n * (width // c)
    centre = np.empty(width, np.float32)
    for j in range(width):
        centre[j] = mean[j % c]
    total[:] = 0
    for i in range(n):
        row = x[i]
        for j in range(width):
            d = row[j] - centre[j]
            total[j] += d * d
    squares[:] = 0
    for j in range(width):
        squares[j % c] += total[j]


@compiled
def affine_relu(x, slope, shift, out):  # type: ignore[no-untyped-def]
    """Write ``max(x slope + shift, 0)`` into out (n, width)."""
    n, width = x.shape
    for i in range(n):
        row, to = x[i], out[i]
        for j in range(width):
            y = row[j] * slope[j] + shift[j]
            to[j] = np.float32(0) if y < 0 else y


@compiled
def relu_sums(x, dy, mean, slope, shift, total, along):  # type: ignore[no-untyped-def]
    """Add the sums of d, and of d (x - mean), for the gradient d below the ReLU, (width,) each."""
    n, width = x.shape
    for i in range(n):
        row, grad = x[i], dy[i]
        for j in range(width):
            d = grad[j] if row[j] * slope[j] + shift[j] > 0 else np.float32(0)
            total[j] += d
            along[j] += d * (row[j] - mean[j])


@compiled
def relu_norm_gradient(x, dy, slope, shift, by_x, constant, out):  # type: ignore[no-untyped-def]
    """Write ``d slope + x by_x + constant``, for the gradient d below the ReLU, into out."""
    n, width = x.shape
    for i in range(n):
        row, grad, to = x[i], dy[i], out[i]
        for j in range(width):
            d = grad[j] if row[j] * slope[j] + shift[j] > 0 else np.float32(0)
            to[j] = d * slope[j] + row[j] * by_x[j] + constant[j]


# Exponentials ----------------------------------------------------------------------------


@compiled
def _exp(x):  # type: ignore[no-untyped-def]
    """Return exp of a float32 to 2e-7, for x < 88: Cephes' expf, which vectorises.

    Below -87 it is zero. Tiny numbers instead would make products with them denormal, and slow.
    """
    f = np.float32
    kept = f(0) if x < f(-87) else f(1)  # NaN is not smaller, and stays NaN
    x = f(-87) if x < f(-87) else x
    n = np.floor(x * f(1.44269504088896341) + f(0.5))
    r = x - n * f(0.693359375)
    r = r + n * f(2.12194440e-4)
    p = r * f(1.9875691500e-4) + f(1.3981999507e-3)
    p = p * r + f(8.3334519073e-3)
    p = p * r + f(4.1665795894e-2)
    p = p * r + f(1.6666665459e-1)
    p = p * r + f(5.0000001201e-1)
    p = (p * r * r + r + f(1)) * kept
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def exponentials(scores, largest, sums):  # type: ignore[no-untyped-def]
    """Replace scores (rows, keys) by ``exp(scores - largest)``, and write the sums of rows."""
    for i in range(len(scores)):
        row, most, total = scores[i], largest[i], np.float32(0)
        for j in range(len(row)):
            row[j] = _exp(row[j] - most)
        for j in range(len(row)):
            total += row[j]
        sums[i] = total


@compiled
def probabilities(scores, log_sums):  # type: ignore[no-untyped-def]
    """Replace scores (rows, keys) by ``exp(scores - log_sums)``."""
    for i in range(len(scores)):
        row, log_sum = scores[i], log_sums[i]
        for j in range(len(row)):
            row[j] = _exp(row[j] - log_sum)


@compiled
def score_gradient(grad, p, along):  # type: ignore[no-untyped-def]
    """Replace grad (rows, keys) by ``p (grad - along)``."""
    for i in range(len(grad)):
        row, weights, mean = grad[i], p[i], along[i]
        for j in range(len(row)):
            row[j] = (row[j] - mean) * weights[j]


@compiled
def _phi(x, constants):  # type: ignore[no-untyped-def]
    """Return Phi(x) and exp(-x^2 / 2), by the formulas of the module `gelu`."""
    f = np.float32
    shift, c5, c4, c3, c2, c1, _ = constants
    t = f(1) / (abs(x) + shift)
    tail = t * c5 + c4
    tail = tail * t + c3
    tail = tail * t + c2
    tail = (tail * t + c1) * t
    bell = _exp(x * x * f(-0.5))
    tail = tail * bell
    return (f(1) - tail if x > 0 else tail), bell


@compiled
def gelu(x, y, constants):  # type: ignore[no-untyped-def]
    """Write the GELU of x (n,) into y."""
    for i in range(len(x)):
        cdf, _ = _phi(x[i], constants)
        y[i] = x[i] * cdf


@compiled
def gelu_with_slope(x, y, slope, constants):  # type: ignore[no-untyped-def]
    """Write the GELU of x (n,) into y, and its derivative into slope."""
    density = constants[6]
    for i in range(len(x)):
        cdf, bell = _phi(x[i], constants)
        y[i] = x[i] * cdf
        slope[i] = cdf + x[i] * bell * density


# Layer normalisation -----------------------------------------------------------------------


@compiled
def layer_norm(x, weight, bias, eps, y, xhat, inverse):  # type: ignore[no-untyped-def]
    """Write output, normalised rows (n, width) and 1 / std (n, 1)."""
    n, width = x.shape
    for i in range(n):
        row, to, normal = x[i], y[i], xhat[i]
        total, squares = np.float32(0), np.float32(0)
        for j in range(width):
            total += row[j]
        mean = total / np.float32(width)
        for j in range(width):
            d = row[j] - mean
            squares += d * d
        scale = np.float32(1) / np.sqrt(squares / np.float32(width) + eps)
        for j in range(width):
            normal[j] = (row[j] - mean) * scale
            to[j] = normal[j] * weight[j] + bias[j]
        inverse[i, 0] = scale


@compiled
def layer_norm_backward(dy, xhat, inverse, weight, dx, along, total):  # type: ignore[no-untyped-def]
    """Write dx (n, width), and add the sums of dy xhat and of dy over rows, (width,) each."""
    n, width = dy.shape
    for i in range(n):
        grad, normal, to, scale = dy[i], xhat[i], dx[i], inverse[i, 0]
        sum_d, sum_along = np.float32(0), np.float32(0)
        for j in range(width):
            d = grad[j] * weight[j]
            sum_d += d
            sum_along += d * normal[j]
        mean, projection = sum_d / np.float32(width), sum_along / np.float32(width)
        for j in range(width):
            to[j] = (grad[j] * weight[j] - mean - normal[j] * projection) * scale
            along[j] += grad[j] * normal[j]
            total[j] += grad[j]


# Adam --------------------------------------------------------------------------------------


@compiled_exactly
def adam(theta, grad, m, v, mask, scalars):  # type: ignore[no-untyped-def]
    """Do one step of Adam over vectors (n,), with the scalars in the order of the NumPy code."""
    size, eps, shrink, decay, beta1, rest1, beta2, rest2 = scalars
    for i in range(len(theta)):
        p, g = theta[i], grad[i]
        if shrink != 0:
            p = p * (mask[i] * shrink + np.float32(1))
        if decay != 0:
            g = mask[i] * decay * p + g
        mi = m[i] * beta1 + g * rest1
        vi = v[i] * beta2 + g * g * rest2
        m[i], v[i] = mi, vi
        theta[i] = p - mi / (np.sqrt(vi) + eps) * size
