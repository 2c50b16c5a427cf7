"""Where the runs of a study are carried out: this machine, a Ray cluster, a SLURM cluster."""
