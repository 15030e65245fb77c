/* Prints the identities of some storms, for a comparison between builds (hash_equality.sh). */
#include "io-sim/test/storm.h"
#include <stdio.h>

int main(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct storm_result result = storm(seed, 1000);

        (void)printf("seed=%llu events=%llu hash=%016llx\n", (unsigned long long)seed,
                     (unsigned long long)result.events, (unsigned long long)result.hash);
    }
    return 0;
}
