"""The sample-rate code of the sound level meter: four viper kernels over one block of 5 ms. Integers only.

Everything a kernel remembers lies in one array("i"), `s`; what the microphone and the sample rate ask for in another,
`c` (see `filters`); both have the places named below. A block goes through

    weigh     DMA slots -> equaliser and A-weighting -> magnitudes, written over the slots they came from
    square    magnitudes -> one energy, v * 4**h with v < 2**30, h chosen by the loudest sample of the block
    add       energy -> sums of two words: of the running 1/8 s, and since they were last taken
    follow    energy -> Fast and Slow weighting, and their extremes

**32 bits.** Viper's int has 32 bits on the chip and 64 on a PC, so an overflow would pass every test on a PC. Hence: no
value leaves -2**31..2**31-1 (tests/sound/bounds.py proves it on this source), a value that is kept stays in
-2**29..2**29-1 (`& 0x3FFFFFFF ^ 0x20000000) - 0x20000000` gives it its sign back: ptr32 reads without sign on a PC), no
shift reaches 32, and no constant needs more than a small int.

**weigh.** 24-bit samples are taken as 20 bits (digital silence then reads 8.6 dB with 120 dB at full scale). A biquad
of direct form II transposed, coefficients in 1/512, does the high end of equaliser and A-weighting. Then four high-pass
sections of one pole: `y = x - lp; lp += k * y`, lp kept in 1/256 steps; the last two give back a part m of lp, which
moves their zero from 0 Hz up to where the microphone's own roll-off has its pole. A rounded lp only errs below its
pole, so nine bits of k are enough for a pole at 20.6 Hz. Magnitudes are one's complements (-1 and 0 are both 0):
rounding is towards 0 on both sides and adds no offset.

**square.** `| 1` puts a magnitude in the middle of its step of two, so cutting bits has no bias.

**follow.** A moving average is mantissa * 4**exponent, mantissa 2**26..2**28. As a "key", exponent << 25 |
mantissa >> 3, it compares like the number.
"""

import micropython
from micropython import const

# Places in c: coefficients, the slot of the microphone (0 or 1), samples a block, 2**16 * (1 - exp(-block / tau)) of
# Fast and Slow
B0 = const(0)
B1 = const(1)
B2 = const(2)
A1 = const(3)
A2 = const(4)
K1 = const(5)
K2 = const(6)
K3 = const(7)
K4 = const(8)
M3 = const(9)
M4 = const(10)
SLOT = const(11)
SAMPLES = const(12)
FAST = const(13)
SLOW = const(14)
C_WORDS = const(15)

# Places in s: states of the filter;
Z1 = const(0)
Z2 = const(1)
LP1 = const(2)
LP2 = const(3)
LP3 = const(4)
LP4 = const(5)
# of the block
NEAR_TOP = const(6)
PEAK = const(7)
ENERGY = const(8)
STEP = const(9)
# since the sums were taken
BLOCKS = const(10)
SUM_LOW = const(11)
SUM_HIGH = const(12)
# of the running 1/8 s
SHORT_BLOCKS = const(13)
SHORT_LOW = const(14)
SHORT_HIGH = const(15)
# and two moving averages, Fast and Slow
AVERAGES = const(16)
MEAN = const(0)
EXPONENT = const(1)
KEY = const(2)
LARGEST = const(3)
SMALLEST = const(4)
AVERAGE_WORDS = const(5)
S_WORDS = const(26)

OVERLOAD_BIT = const(0x80000)  # of NEAR_TOP: a sample came within 0.56 dB of full scale
KEY_BITS = const(25)
EXPONENT_ZERO = const(10)  # the exponent is kept with this added


@micropython.viper
def weigh(y: int, x: int, at: int, p: ptr32, c: ptr32, s: ptr32):
    """Filter the block that begins at word `at` of `p` and leave its magnitudes there, one a word.

    `y` and `x` are whatever the caller gives: the first three locals live in registers, a quarter of the time.
    """
    b0 = (c[B0] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    b1 = (c[B1] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    b2 = (c[B2] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    a1 = (c[A1] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    a2 = (c[A2] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    k1 = int(c[K1])
    k2 = int(c[K2])
    k3 = int(c[K3])
    k4 = int(c[K4])
    m3 = int(c[M3])
    m4 = int(c[M4])
    z1 = (s[Z1] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    z2 = (s[Z2] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    lp1 = (s[LP1] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    lp2 = (s[LP2] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    lp3 = (s[LP3] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    lp4 = (s[LP4] & 0x3FFFFFFF ^ 0x20000000) - 0x20000000
    near = 0
    peak = 0
    j = at + int(c[SLOT])
    end = at + int(c[SAMPLES])
    while at < end:
        x = (p[j] >> 12 & 0xFFFFF ^ 0x80000) - 0x80000
        near |= (x ^ x >> 31) + 0x8000
        y = b0 * x + z1 >> 9
        z1 = b1 * x - a1 * y + z2
        z2 = b2 * x - a2 * y
        y -= lp1 >> 8
        lp1 += y * k1 >> 8
        y -= lp2 >> 8
        lp2 += y * k2 >> 8
        x = lp3 >> 8
        y -= x
        lp3 += y * k3 >> 6
        y += x * m3 >> 9
        x = lp4 >> 8
        y -= x
        lp4 += y * k4 >> 3
        y += x * m4 >> 9
        y ^= y >> 31
        peak |= y
        p[at] = y
        at += 1
        j += 2
    s[Z1] = z1
    s[Z2] = z2
    s[LP1] = lp1
    s[LP2] = lp2
    s[LP3] = lp3
    s[LP4] = lp4
    s[NEAR_TOP] = near
    s[PEAK] = peak


@micropython.viper
def square(at: int, p: ptr32, c: ptr32, s: ptr32):
    """Sum the squares of the block's magnitudes, cut to 11 bits; a block is a multiple of four samples."""
    step = 0
    while int(s[PEAK]) >> step > 2047:
        step += 1
    energy = 0
    end = at + int(c[SAMPLES])
    while at < end:
        v = p[at] >> step | 1
        energy += v * v
        v = p[at + 1] >> step | 1
        energy += v * v
        v = p[at + 2] >> step | 1
        energy += v * v
        v = p[at + 3] >> step | 1
        energy += v * v
        at += 4
    s[ENERGY] = energy
    s[STEP] = step


@micropython.viper
def add(s: ptr32):
    """Add the block's energy to both sums, exactly: a sum is high * 2**30 + low."""
    energy = int(s[ENERGY])
    up = 2 * int(s[STEP])
    high = energy >> 30 - up
    low = (energy & (1 << 30 - up) - 1) << up
    i = BLOCKS
    while i <= SHORT_BLOCKS:
        total = low + int(s[i + 1])
        s[i] = int(s[i]) + 1
        s[i + 1] = total & 0x3FFFFFFF
        s[i + 2] = int(s[i + 2]) + high + (total >> 30)
        i += SHORT_BLOCKS - BLOCKS


@micropython.viper
def follow(c: ptr32, s: ptr32):
    """Let both averages follow the block's energy, and keep their extremes."""
    energy = int(s[ENERGY])
    exponent = int(s[STEP]) + EXPONENT_ZERO
    while energy > 0xFFFFFFF:
        energy >>= 2
        exponent += 1
    while energy < 0x4000000:
        energy <<= 2
        exponent -= 1
    i = AVERAGES
    part = int(c[FAST])
    while i < S_WORDS:
        mean = int(s[i + MEAN])
        e = int(s[i + EXPONENT])
        new = energy
        if mean == 0:  # the first block
            mean = energy
            e = exponent
        elif exponent > e:
            mean = mean >> 2 * (exponent - e) if exponent - e < 15 else 0
            e = exponent
        elif e - exponent < 15:
            new >>= 2 * (e - exponent)
        else:
            new = 0
        mean += (new - mean >> 10) * part >> 6
        while mean < 0x4000000:
            mean <<= 2
            e -= 1
        key = e << KEY_BITS | mean >> 3
        s[i + MEAN] = mean
        s[i + EXPONENT] = e
        s[i + KEY] = key
        if key > int(s[i + LARGEST]):
            s[i + LARGEST] = key
        if key < int(s[i + SMALLEST]):
            s[i + SMALLEST] = key
        part = int(c[SLOW])
        i += AVERAGE_WORDS
