"""Time one verification of a signed root on MicroPython, beside P-256 and Ed25519 in pure Python; prints ms as JSON.

The curves are plain affine and extended arithmetic with double-and-add: what a node would need, without tables. Each
does the work of one verification (two scalar multiplications of 256 bits) on fixed numbers; no signature is judged.
Each figure is the shortest of many (100, 9, 9), because others use this machine too.
"""

import json
import sys
import time

from firmware.update import plan

P = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
Q = (1 << 255) - 19
D = -121665 * pow(121666, Q - 2, Q) % Q
BY = 4 * pow(5, Q - 2, Q) % Q
BX = 15112221349535400772501151409588531511454012693041857206046113283949847762202
SCALARS = (int("9d" * 32, 16) >> 1, int("c7" * 32, 16) >> 1)


def p256_double(x, y, z):
    if not y:
        return 0, 1, 0
    yy = y * y % P
    s, m = 4 * x * yy % P, 3 * (x - z * z) * (x + z * z) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def p256_add(x, y, z, u, v, w):
    if not z:
        return u, v, w
    if not w:
        return x, y, z
    zz, ww = z * z % P, w * w % P
    a, b = x * ww % P, u * zz % P
    c, d = y * w * ww % P, v * z * zz % P
    h, r = (b - a) % P, (d - c) % P
    hh = h * h % P
    hhh, ahh = h * hh % P, a * hh % P
    x3 = (r * r - hhh - 2 * ahh) % P
    return x3, (r * (ahh - x3) - c * hhh) % P, z * w * h % P


def p256():
    """u1 * G + u2 * Q, here with Q = 2G; both scalars together (Shamir's trick)."""
    g = (GX, GY, 1)
    q = p256_double(*g)
    both = p256_add(*(g + q))
    found = (0, 1, 0)
    for bit in range(255, -1, -1):
        found = p256_double(*found)
        pick = (SCALARS[0] >> bit & 1) | (SCALARS[1] >> bit & 1) << 1
        if pick:
            found = p256_add(*(found + (g, q, both)[pick - 1]))
    pow(found[2], P - 2, P)


def ed_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % Q, (p[1] + p[0]) * (q[1] + q[0]) % Q
    c, d = 2 * p[3] * q[3] * D % Q, 2 * p[2] * q[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def ed25519():
    """s * B and h * A, as two multiplications that run together."""
    b = (BX, BY, 1, BX * BY % Q)
    a = ed_add(b, b)
    both = ed_add(a, b)
    found = (0, 1, 1, 0)
    for bit in range(255, -1, -1):
        found = ed_add(found, found)
        pick = (SCALARS[0] >> bit & 1) | (SCALARS[1] >> bit & 1) << 1
        if pick:
            found = ed_add(found, (b, a, both)[pick - 1])
    pow(found[2], Q - 2, Q)


def shortest_ms(work, runs=9):
    times = []
    for _ in range(runs):
        began = time.ticks_us()
        work()
        times.append(time.ticks_diff(time.ticks_us(), began))
    return min(times) / 1000


def main():
    with open("root", "rb") as file:
        root = file.read()
    with open("releases.keys", "rb") as file:
        keys = file.read()
    second = (keys[384:], keys[:384])  # the key that signed comes last
    found = {
        "root": shortest_ms(lambda: plan.verified("root", root, lambda: second), 100),
        "p256": shortest_ms(p256),
        "ed25519": shortest_ms(ed25519),
    }
    print(json.dumps(found))


if len(sys.argv) > 1 and sys.argv[1] == "check":
    # 2G + 3G == 5G, and the base point lies on the curve: the arithmetic is right
    g = (GX, GY, 1)
    two = p256_double(*g)
    three, four = p256_add(*(two + g)), p256_double(*two)
    one, other = p256_add(*(two + three)), p256_add(*(four + g))
    assert one[0] * other[2] ** 2 % P == other[0] * one[2] ** 2 % P
    assert (-BX * BX + BY * BY - 1 - D * BX * BX * BY * BY) % Q == 0
main()
