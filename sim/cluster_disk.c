/* cluster_disk.c - what befalls the disks of a run's nodes, and their clocks. */
#include "sim/cluster_internal.h"
#include "sim/rot.h"

void gd_sim_cluster_slow_disk(struct gd_sim_cluster *cluster, unsigned id, uint64_t times)
{
    if (id >= 1 && id <= cluster->nodes) {
        struct gd_world_disk_options disk = gd_world_disk(cluster->world, id);
        disk.latency_min = cluster->disk.latency_min * times;
        disk.latency_max = cluster->disk.latency_max * times;
        disk.sync_min = cluster->disk.sync_min * times;
        disk.sync_max = cluster->disk.sync_max * times;
        disk.uneven = (uint32_t)(cluster->disk.uneven / (times > 0 ? times : 1)); /* At the most. */
        gd_world_set_disk(cluster->world, id, &disk);
    }
}

void gd_sim_cluster_full_disk(struct gd_sim_cluster *cluster, unsigned id, bool on)
{
    if (id >= 1 && id <= cluster->nodes) {
        struct gd_world_disk_options disk = gd_world_disk(cluster->world, id);
        disk.quota_size = on ? gd_world_disk_used(cluster->world, id) + 1 : 0;
        gd_world_set_disk(cluster->world, id, &disk);
    }
}

void gd_sim_cluster_fail(struct gd_sim_cluster *cluster, unsigned id, unsigned op, uint64_t count)
{
    if (id >= 1 && id <= cluster->nodes) {
        gd_world_fail_at(cluster->world, id, (enum gd_disk_kind)op, count, GD_ERR_IO);
    }
}

uint64_t gd_sim_cluster_disk_errors(const struct gd_sim_cluster *cluster, unsigned id)
{
    return gd_world_disk_errors(cluster->world, id);
}

void gd_sim_cluster_lie(struct gd_sim_cluster *cluster, unsigned id, uint64_t count)
{
    if (id >= 1 && id <= cluster->nodes) {
        gd_world_lie_at(cluster->world, id, count);
    }
}

static void damage(struct gd_sim_cluster *cluster, unsigned id, bool wiped)
{
    cluster->slots[id].kept = 0; /* Two places, or more than one. */
    cluster->slots[id].damaged = true;
    cluster->slots[id].wiped = cluster->slots[id].wiped || wiped;
    cluster->options.damaged(cluster->options.context, id, wiped);
}

/* Of a node that does not run. */
static void damage_file(struct gd_sim_cluster *cluster, unsigned id, const char *name)
{
    uint64_t took = cluster->options.took(cluster->options.context, id);
    if (gd_sim__lives(cluster, id) ||
        !gd_sim_spare_covers(&cluster->slots[id].spare, cluster->world, id, name, took)) {
        damage(cluster, id, false);
        cluster->slots[id].gone = true;
    }
}

void gd_sim_cluster_rot(struct gd_sim_cluster *cluster, unsigned id)
{
    char name[GD_DISK_PATH_SIZE];
    struct slot *slot = gd_sim__slot(cluster, id);
    if (slot == NULL || !gd_sim_rot_file(cluster->world, id, &cluster->prng, name)) {
        return;
    }
    uint64_t last = slot->quiet_last;
    damage_file(cluster, id, name);
    slot->kept = last;
    slot->quiet_last = 0;
    if (last > 0) {
        GD_REACHED("simulated rot on the disk of a node that was quiet");
    }
    gd_sim_rot(cluster->world, id, &cluster->prng, name);
}

void gd_sim_cluster_lose(struct gd_sim_cluster *cluster, unsigned id)
{
    char name[GD_DISK_PATH_SIZE];
    struct slot *slot = gd_sim__slot(cluster, id);
    /* One between two starts: all of them is what a wipe takes, when it may. */
    if (slot == NULL || gd_sim__lives(cluster, id) || slot->missing) {
        return;
    }
    slot->missing = true;
    if (gd_sim_rot_file(cluster->world, id, &cluster->prng, name)) {
        damage_file(cluster, id, name);
        slot->kept = slot->quiet_last = 0;
        (void)gd_world_lose(cluster->world, id, name);
    }
}

void gd_sim_cluster_misread(struct gd_sim_cluster *cluster, unsigned id, uint64_t ppm)
{
    if (id >= 1 && id <= cluster->nodes) {
        struct gd_world_disk_options disk = gd_world_disk(cluster->world, id);
        disk.misread_ppm = (uint32_t)ppm;
        damage(cluster, id, false);
        if (ppm > 0) {
            cluster->options.witnessed(cluster->options.context, id, 0);
        }
        gd_world_set_disk(cluster->world, id, &disk);
    }
}

void gd_sim_cluster_misdirect(struct gd_sim_cluster *cluster, unsigned id, uint64_t count)
{
    if (id >= 1 && id <= cluster->nodes) {
        damage(cluster, id, false);
        gd_world_misdirect_at(cluster->world, id, count);
    }
}

void gd_sim_cluster_wipe(struct gd_sim_cluster *cluster, unsigned id)
{
    for (unsigned i = 1; i <= cluster->nodes; i++) {
        if (cluster->slots[i].moved) {
            return;
        }
    }
    if (id >= 1 && id <= cluster->nodes && !gd_sim__lives(cluster, id)) {
        damage(cluster, id, true);
        gd_world_wipe(cluster->world, id);
        if (cluster->outside != NULL && cluster->outside->wipe != NULL) {
            cluster->outside->wipe(cluster->run, id);
        }
    }
}

void gd_sim_cluster_jump(struct gd_sim_cluster *cluster, unsigned id, int64_t by_ms)
{
    if (id >= 1 && id <= cluster->nodes) {
        int64_t wall_ms = gd_world_process_wall_ms(cluster->world, id);
        if (wall_ms > cluster->wall_most_ms) {
            cluster->wall_most_ms = wall_ms;
        }
        cluster->walls_set_back += by_ms < 0 ? 1 : 0;
        gd_world_jump_wall(cluster->world, id, by_ms);
    }
}
