/* CIE L*a*b* of sRGB colors, white D65, as OpenCV's float conversion defines it (its constants; not
 * its table of 33 steps, whose rounding moves L by up to 0.2 and colors by up to 0.45).
 * Not here: which picture the rows come from. */
#ifndef MIMEO_IMAGE_LAB_H
#define MIMEO_IMAGE_LAB_H

/* One color: r, g, b in 0..1 (gamma coded) to L in 0..100, a and b in about -110..110. */
struct lab {
    float lightness, a, b;
};
struct lab lab_from_rgb(float red, float green, float blue);

/* And back, clipped to 0..1. What is not a number becomes 0. */
void lab_to_rgb(struct lab lab, float ret_rgb[3]);

/* L alone, from linear light: luminance in 0..1. */
float lab_lightness(float luminance);

/* sRGB's curve: gamma coded 0..1 to linear light, and back. */
float lab_linear(float coded);
float lab_coded(float linear);

/* Luminance of linear red, green and blue. */
float lab_luminance(float red, float green, float blue);

#endif
