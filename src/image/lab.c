/* Constants: sRGB's primaries and curve, the white point (0.950456, 1, 1.088754), and CIE's cube
 * root with its straight start, as in OpenCV's documentation of cvtColor. */
#include "image/lab.h"

#include <math.h>
#include <stdbool.h>

#define WHITE_X 0.950456f
#define WHITE_Z 1.088754f
#define ROOT_START 0.008856f           /* below it the cube root is a line */
#define ROOT_START_ROOT (6.0f / 29.0f) /* its value there */
#define LINE 7.787f
#define LINE_OFFSET (16.0f / 116.0f)
#define LIGHTNESS_LINE 903.3f

float lab_linear(float coded)
{
    return coded <= 0.04045f ? coded / 12.92f : powf((coded + 0.055f) / 1.055f, 2.4f);
}

float lab_coded(float linear)
{
    return linear <= 0.0031308f ? linear * 12.92f : 1.055f * powf(linear, 1 / 2.4f) - 0.055f;
}

float lab_luminance(float red, float green, float blue)
{
    return 0.212671f * red + 0.715160f * green + 0.072169f * blue;
}

static float root(float value)
{
    return value > ROOT_START ? cbrtf(value) : LINE * value + LINE_OFFSET;
}

static float cube(float value)
{
    return value > ROOT_START_ROOT ? value * value * value : (value - LINE_OFFSET) / LINE;
}

float lab_lightness(float luminance)
{
    return luminance > ROOT_START ? 116 * cbrtf(luminance) - 16 : LIGHTNESS_LINE * luminance;
}

struct lab lab_from_rgb(float red, float green, float blue)
{
    float r = lab_linear(red), g = lab_linear(green), b = lab_linear(blue);
    float x = (0.412453f * r + 0.357580f * g + 0.180423f * b) / WHITE_X;
    float y = lab_luminance(r, g, b);
    float z = (0.019334f * r + 0.119193f * g + 0.950227f * b) / WHITE_Z;
    float middle = root(y);
    return (struct lab){ .lightness = lab_lightness(y),
                         .a = 500 * (root(x) - middle),
                         .b = 200 * (middle - root(z)) };
}

static float clipped(float linear)
{
    if (!(linear > 0)) /* also what is not a number */
        return 0;
    return lab_coded(linear < 1 ? linear : 1);
}

void lab_to_rgb(struct lab lab, float ret_rgb[3])
{
    bool dark = lab.lightness <= 8;
    float middle = (lab.lightness + 16) / 116;
    float y = dark ? lab.lightness / LIGHTNESS_LINE : middle * middle * middle;
    if (dark)
        middle = LINE * y + LINE_OFFSET;
    float x = cube(lab.a / 500 + middle) * WHITE_X, z = cube(middle - lab.b / 200) * WHITE_Z;
    ret_rgb[0] = clipped(3.240479f * x - 1.53715f * y - 0.498535f * z);
    ret_rgb[1] = clipped(-0.969256f * x + 1.875991f * y + 0.041556f * z);
    ret_rgb[2] = clipped(0.055648f * x - 0.204043f * y + 1.057311f * z);
}
