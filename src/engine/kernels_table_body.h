/* The rows of a kernel table, the same for every instruction set. Private to kernels_*.c; included
 * inside an initializer, so no guard and no declarations. */
.width = VECTOR_WIDTH,
    .winograd_rows = VECTOR_ROWS, .winograd_weights = winograd_weights,
    .winograd_input = winograd_input, .winograd_multiply = winograd_multiply,
    .winograd_output = winograd_output, .direct_row = direct_row, .narrow_row = narrow_row,
    .prelu = prelu, .pool_row = pool_row, .resize_row = resize_row, .add = add,
    .depthwise_row = depthwise_row, .bicubic_row = bicubic_row, .area_row = area_row,
    .pool_average_row = pool_average_row, .multiply = multiply, .transform = transform,
    .activate = activate, .affine_row = affine_row, .multiply_map = multiply_map,
    .sum_pixels = sum_pixels, .shuffle_row = shuffle_row, .sample_pixels = sample_pixels,
    .copy_view = copy_view, .add_view = add_view, .transpose_panel = transpose_panel,
    .product = product, .product_bf16 = product_bf16, .finish = finish, .norm_rows = norm_rows,
    .norm_sums = norm_sums, .norm_apply = norm_apply, .softmax = softmax, .scale_rows = scale_rows,
