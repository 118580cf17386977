# `cmake --install`: the program, the jobs, the demo model, the Slurm scripts.
