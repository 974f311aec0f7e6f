/* The rows of a kernel table, the same for every instruction set. Private to kernels_*.c; included
 * inside an initializer, so no guard and no declarations. */
.width = VECTOR_WIDTH, .winograd_input = winograd_input, .winograd_multiply = winograd_multiply,
                       .winograd_output = winograd_output, .direct_row = direct_row,
                       .narrow_row = narrow_row, .pool_row = pool_row, .resize_row = resize_row,
                       .add = add,
