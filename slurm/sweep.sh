# sweep.sh - one start of a sweep inside a Slurm job; sourced by the sbatch
# scripts, which end with
#
#     sweep JOB.yaml OUT [OPTIONS OF patchsweep run]
#     exec scontrol requeue "$SLURM_JOB_ID"
#
# sweep returns only where the job is to be requeued so. Else it exits: 0 done,
# 3 done but some units failed, 75 for RequeueExit=75 (requeue=exit), 1 or the
# program's status where the run is not finished and nothing will go on by
# itself; the last line of the log says which.
# shellcheck shell=bash

# shellcheck source=slurm/site.conf
. "${PATCHSWEEP_SITE:-$PATCHSWEEP_SLURM/site.conf}"

lock_wait_s=180
launcher_pid=
has_warning=

say() {
    echo "$(date -u +%H:%M:%S) sweep: $*" >&2
}

# A field of `patchsweep status OUT`: field OUT NAME
field() {
    "${patchsweep[@]}" status "$1" 2>/dev/null | sed -n "s/^$2  *//p"
}

units_done() {
    local line
    line=$(field "$1" units)
    echo "${line%% *}"
}

# The lock of a node that died outlives it by the file system's lease.
wait_for_lock() {
    local waited=0 holder
    [ -e "$1/journal" ] || return 0
    while holder=$(field "$1" 'held by') &&
        [ "${holder:-nobody}" != nobody ] && [ $waited -lt $lock_wait_s ]; do
        [ $waited -gt 0 ] || say "waiting for $1, held by $holder"
        sleep 5
        waited=$((waited + 5))
    done
}

# Slurm's warning before the time limit, handed on as what it is: SIGUSR1 ends
# the run in order. (Never SIGTERM: mpirun kills every rank a second later.)
warn() {
    has_warning=yes
    say "the time limit is near: ending in order"
    [ -z "$launcher_pid" ] || kill -USR1 "$launcher_pid" 2>/dev/null
}

# bash runs a trap only between commands, or inside `wait`: so the ranks run in
# the background. A wait that a signal ends says nothing about the ranks.
wait_for_ranks() {
    local status
    while :; do
        wait "$launcher_pid"
        status=$?
        kill -0 "$launcher_pid" 2>/dev/null || return $status
    done
}

# Slurm's PMIx plugin leaves files, named by job and step, in the spool folder of
# a node that dies, and they keep the same step of the requeued job off that
# node. So every restart takes a step number of its own: steps of nothing first.
skip_steps() {
    local i
    for ((i = 0; i < ${SLURM_RESTART_COUNT:-0}; i++)); do
        srun --mpi=none --nodes=1 --ntasks=1 true || return 0
    done
}

launch() {
    local ranks=${SLURM_NTASKS:-$((SLURM_JOB_NUM_NODES * cores_per_node))}
    case $launcher in
    srun)
        srun --ntasks="$ranks" --mpi="$mpi" --kill-on-bad-exit=1 \
            "${srun_options[@]}" "${patchsweep[@]}" run "$@" &
        ;;
    mpirun)
        mpirun -n "$ranks" "${mpirun_options[@]}" "${patchsweep[@]}" run "$@" &
        ;;
    *)
        say "launcher=$launcher in site.conf: expected srun or mpirun"
        exit 2
        ;;
    esac
    launcher_pid=$!
}

# What to do with a run that is not finished: return to requeue, or exit.
go_on() {
    local out=$1 before=$2 launched=$3 after
    after=$(units_done "$out")
    if [ "$(field "$out" ending)" = "stop file" ]; then
        say "$out: stopped by its file 'stop' at $after units, not requeued"
        exit 1
    fi
    if [ "$((after - before))" -le 0 ]; then
        say "$out: no unit was finished since this start began ($after, the" \
            "launcher exited $launched): not requeued, see above"
        exit 1
    fi
    case $requeue in
    scontrol) say "$out: $((after - before)) units more, requeued" ;;
    exit)
        say "$out: $((after - before)) units more, exit 75 to be requeued"
        exit 75
        ;;
    *)
        say "$out: $((after - before)) units more, not requeued" \
            "(requeue=$requeue): submit it again to go on"
        exit 1
        ;;
    esac
}

sweep() {
    local job=$1 out=$2 before launched status
    shift 2
    trap warn USR1
    site_setup
    export TMPDIR=$scratch
    say "job $SLURM_JOB_ID on $SLURM_JOB_NODELIST," \
        "restart ${SLURM_RESTART_COUNT:-0}: $job into $out"
    wait_for_lock "$out"
    before=$(units_done "$out")
    [ "$launcher" != srun ] || skip_steps
    if [ -z "$has_warning" ]; then
        launch "$job" -o "$out" "$@"
        wait_for_ranks
        launched=$?
    else
        launched=75
    fi
    "${patchsweep[@]}" status "$out" --exit-code
    status=$?
    case $status in
    0 | 3) exit $status ;;
    75) go_on "$out" "${before:-0}" "$launched" ;;
    *)
        [ "$launched" -ne 0 ] || launched=1
        say "$out: the run did not come about: not requeued, see above"
        exit "$launched"
        ;;
    esac
}
