/* main.c - gandalf-sim: the simulator over gandalf's own databases. */
#include "sim/check_command.h"
#include "sim/generate.h"
#include "sim/kvs_databases.h"
#include "sim/program.h"

int main(int count, char **words)
{
    static const struct gd_sim_database *const databases[] = {
        &gd_sim_database_kvs, &gd_sim_database_resp, &gd_sim_database_sqlite};
    static const struct gd_sim_command commands[] = {
        {"check",
         "check HISTORY...     is a history linearizable?\n"
         "      [--time-limit SECONDS] [--memory-limit MB] [--jobs J]\n"
         "  check --html PAGE HISTORY      and as a page that shows the order, or what does not "
         "fit\n"
         "  check --witness FILE HISTORY   and the order found, if it is legal",
         gd_sim_check_command},
        {"generate-history",
         "generate-history [--seed S] [--violation KIND] ...  a history with a known verdict",
         gd_sim_generate_command},
    };
    static const struct gd_sim_program program = {.name = "gandalf-sim",
                                                  .databases = databases,
                                                  .database_count = GD_COUNT(databases),
                                                  .pick = gd_sim_kvs_pick,
                                                  .commands = commands,
                                                  .command_count = GD_COUNT(commands)};
    return gd_sim_main(count, words, &program);
}
