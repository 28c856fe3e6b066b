"""The diffusion's mathematics without networks: schedules, solvers, conditional sampling, losses."""

from savg_ray.diffusion.ancestral import ddim_sample, ddpm_sample
from savg_ray.diffusion.conditional import audio_for_video, video_for_audio
from savg_ray.diffusion.dpm_adaptive import dpm_solver_adaptive
from savg_ray.diffusion.dpm_solver import dpm_solver_multistep, dpm_solver_singlestep
from savg_ray.diffusion.losses import JointLoss, SRLoss, mm_loss, sr_loss
from savg_ray.diffusion.network_calls import Announce, NoiseModel, Solution
from savg_ray.diffusion.respacing import respaced_timesteps
from savg_ray.diffusion.schedules import DiffusionTables, diffusion_tables

__all__ = [
    "Announce",
    "DiffusionTables",
    "JointLoss",
    "NoiseModel",
    "SRLoss",
    "Solution",
    "audio_for_video",
    "ddim_sample",
    "ddpm_sample",
    "diffusion_tables",
    "dpm_solver_adaptive",
    "dpm_solver_multistep",
    "dpm_solver_singlestep",
    "mm_loss",
    "respaced_timesteps",
    "sr_loss",
    "video_for_audio",
]
