/* result.h - what a unit gives back: the bytes that travel and are kept in
 * the journal. Encoded by the worker, decoded by the coordinator's checks and
 * by gather.
 *
 *   u64 unit, u32 kind (1 sweep, 2 baseline, 3 analysis, 4 export, 5 record,
 *             6 noised), f64 flops, f64 seconds
 *   sweep:    u32 n_metrics, u64 n_lanes, f32 values[n_metrics][n_lanes]
 *             lanes: for cell, for pair of the block, for sample: those for
 *             which cell_is_lane(plan_cell_status(..)); NaN where the pair
 *             is excluded
 *   noised:   as a sweep, then f64 noise_std; lanes: for pair of the block that
 *             is selected, for sample; excluded pairs too
 *   baseline: u32 n_pairs, u32 n_metrics, then per pair: u8 is_excluded,
 *             i32 predicted (token id, -1: not asked), f32
 *             values[RUN_COUNT][n_metrics], NaN where the pair has no such
 *             run or the metric needs what it lacks
 *   analysis: u64 n_values, f32 values[n_values] as shape.h has them
 *   export, record: u64 bytes of the unit's part, u32 its CRC (part.h) */
#ifndef PATCHSWEEP_COMMON_PLAN_RESULT_H
#define PATCHSWEEP_COMMON_PLAN_RESULT_H

#include "common/base/buf.h"
#include "common/plan/plan.h"

struct baseline_pair {
    bool is_excluded;
    int predicted;
    float *values; /* [RUN_COUNT][n_metrics], within result.values */
};

struct result {
    uint64_t unit;
    enum unit_kind kind;
    double flops, seconds;
    int n_metrics;
    uint64_t n_lanes;
    size_t n_values;
    float *values;    /* [n_metrics][n_lanes], the baselines' or an analysis';
                       * owned */
    double noise_std; /* noised: the noise's standard deviation */
    struct baseline_pair *pairs; /* baseline: per pair of the block; owned */
    int n_pairs;
    uint64_t part_bytes; /* exports and records */
    uint32_t part_crc;
};

void result_free(struct result *result);
void result_encode(struct buf *out, const struct result *result);

/* Decode n bytes and check them against the plan: unit number, kind, counts.
 * Every truncation is refused. */
enum status result_decode(struct result *out, const struct plan *plan,
                          const void *data, size_t n,
                          struct err *err) WARN_UNUSED;

/* The number of lanes of a unit. */
uint64_t result_lanes(const struct plan *plan, const struct unit *unit);

#endif
