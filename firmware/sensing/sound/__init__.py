"""The sound level meter: samples of an I2S MEMS microphone in, levels out. No audio is kept, stored or sent.

filters    generated integer coefficients: equaliser and A-weighting in one, for each microphone and sample rate
kernels    viper code over blocks of 5 ms, in 32 bits
meter      what a second is made of: levels and flags from the kernels' sums; pure
driver     the task that reads the DMA, and the sensor for the sampler
levels     LAeq and LN of a record from every second's energy and 1/8-s levels

The one buffer of samples holds 20 ms; the kernels write magnitudes over it, and the next 20 ms over those.

**32 kHz is the default.** The fitted filters keep the class 1 limits of IEC 61672-1 Table 3 from 31.5 Hz to 12.5 kHz at
32 kHz as well as at 48 kHz, microphone included as its data sheet draws it; 32 kHz lies in the ICS-43434's
high-performance range (23 to 51.6 kHz, DS-000069), and costs a third less processor time and DMA memory. 48 kHz is
there for a node that shall also be right at 16 kHz. A weighting within class 1 limits does not make a class 1 meter:
case, wind screen, temperature and the microphone's spread are not in it. Say "class 2 weighting, uncertified".
"""
