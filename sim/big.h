/* big.h - memory for arrays that may be big and are then touched from end to end.
 *
 * In pages of the usual size, taking such an array in costs more than what is done with it. From
 * GD_SIM_BIG on, huge pages are asked for. What is given is freed by free. */
#ifndef GANDALF_SIM_BIG_H
#define GANDALF_SIM_BIG_H
#include "engine/base.h"

#define GD_SIM_BIG ((size_t)1 << 20)
/* Not zeroed; ends the program when there is none. */
void *gd_sim_big(size_t size);
/* `array` (of `size` bytes, or NULL) moved to a place of `more` bytes. */
void *gd_sim_bigger(void *array, size_t size, size_t more);
#endif
