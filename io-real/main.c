/* main.c - gandalf: a node in front of one of gandalf's own databases, and what an operator does
 * beside it. */
#include "io-real/database.h"
#include "io-real/program.h"
#include "io-real/tools.h"

int main(int argc, char **argv)
{
    static const struct gd_uv_program program = {.name = "gandalf",
                                                 .version = GD_VERSION,
                                                 .serve = gd_database_serve,
                                                 .put_away = gd_database_put_away};
    int status;

    if (gd_tools_run(argc, argv, &status)) {
        return status;
    }
    return gd_uv_main(argc, argv, &program);
}
