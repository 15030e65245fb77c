/* ledger_node.c - a node of the replicated ledger: `ledger-node --config FILE`, as `gandalf`. */
#include "io-real/program.h"
#include "ledger.h"

static enum gd_err serve(const struct gd_node_config *config, struct gd_io *io,
                         struct gd_served *served, struct gd_error *error)
{
    (void)config, (void)error; /* The ledger wants nothing of the configuration. */
    ledger_serve(io, served);
    return GD_OK;
}

int main(int argc, char **argv)
{
    static const struct gd_uv_program program = {
        .name = "ledger-node", .version = "1", .serve = serve, .put_away = ledger_put_away};
    return gd_uv_main(argc, argv, &program);
}
