/* The interpolation points of Winograd F(4x4,3x3): 0, +-A, +-B, infinity. Private to engine/. */
#ifndef MIMEO_ENGINE_WINOGRAD_POINTS_H
#define MIMEO_ENGINE_WINOGRAD_POINTS_H

/* Both are short binary fractions: the products in the transforms are exact constants. */
#define WINOGRAD_A 0.625f
#define WINOGRAD_B 1.5f

#endif
