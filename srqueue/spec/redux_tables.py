"""What each key of a traiNNer-redux YAML means here, or why it means nothing."""

from __future__ import annotations

TAKEN: dict[str, str] = {
    "manual_seed": "manual_seed",
    "scale": "scale",
    "use_channels_last": "compute.channels_last",
    "use_compile": "compute.compile",
    "datasets.train.lq_size": "datasets.train.lq_size",
    "datasets.train.use_hflip": "datasets.train.use_hflip",
    "datasets.train.use_rot": "datasets.train.use_rot",
    "datasets.train.batch_size_per_gpu": "datasets.train.batch_size",
    "datasets.train.accum_iter": "datasets.train.accum_iter",
    "path.strict_load_g": "path.strict_load_g",
    "train.total_iter": "train.total_iter",
    "train.ema_decay": "train.ema_decay",
    "train.grad_clip": "train.grad_clip",
    "val.val_enabled": "val.val_enabled",
    "val.val_freq": "val.val_freq",
    "logger.print_freq": "logger.print_freq",
}
"""Keys whose value is ours under another name."""

ABSENT: dict[str, object] = {
    "train.ema_decay": 0.0,
    "train.grad_clip": False,
    "train.warmup_iter": 0,
    "train.scheduler": {"type": "constant"},
    "train.training_automations": {"enabled": False},
    "train.dynamic_loss_scheduling": {"enabled": False},
}
"""What a section that is left out means there; without these a preset would fill it in."""

OUR_NETWORKS: dict[str, dict[str, object]] = {
    "compact": {"type": "compact", "num_feat": 64, "num_conv": 16},
    "ultracompact": {"type": "compact", "num_feat": 64, "num_conv": 8},
    "superultracompact": {"type": "compact", "num_feat": 24, "num_conv": 8},
    "span": {"type": "span", "num_feat": 52},
    "span_s": {"type": "span", "num_feat": 48},
    "edsr": {"type": "edsr"},
    "edsr_m": {"type": "edsr", "num_feat": 64, "num_block": 16},
    "edsr_l": {"type": "edsr", "num_feat": 256, "num_block": 32, "res_scale": 0.1},
}
"""Their `network_g.type`, in small letters, with its size there. Names that are ours too need no row."""

NETWORK_ARGUMENTS = {
    "feature_channels": "num_feat",
    "n_feats": "num_feat",
    "n_resblocks": "num_block",
    "upsampler_alpha": "alpha",
}
"""Their argument -> ours, where the names differ."""

NETWORK_NEEDLESS = {
    "use_channels_last": "compute.channels_last says how pictures lie in memory",
    "use_checkpointing": "it saves memory and changes no result; micro-batches do so here",
}
"""Arguments of their ParagonSR2 that change no result."""

NETWORK_NOTES = {
    "compact": "compact here has LeakyReLU and a bicubic skip, theirs PReLU and a nearest one",
    "span": "span is trained here in its plain form, without the branches that theirs merges afterwards",
}

LOSSES: dict[str, str] = {
    "l1loss": "l1",
    "mseloss": "l2",
    "charbonnierloss": "charbonnier",
    "ssimloss": "ssim",
    "mssimloss": "ms_ssim",
    "msssimloss": "ms_ssim",
}

LOST_LOSSES: dict[str, str] = {
    "ganloss": "GAN training is not done here: it lowers PSNR and SSIM",
    "multiscaleganloss": "GAN training is not done here: it lowers PSNR and SSIM",
    "r3ganloss": "GAN training is not done here: it lowers PSNR and SSIM",
    "ldlloss": "GAN training is not done here: it lowers PSNR and SSIM",
    "msssiml1loss": "there is no mixed loss here: list ms_ssim and l1, each with its share as loss_weight",
    "ffloss": "there is no focal frequency loss here; fft compares amplitudes",
    **dict.fromkeys(
        ("perceptualloss", "perceptualfp16loss", "perceptualanimeloss", "contextualloss", "distsloss",
         "lpipsloss", "dinov2loss", "topiqloss", "hrinversionloss", "styleloss"),
        "perceptual losses are not here: they lower PSNR and SSIM",
    ),
    **dict.fromkeys(
        ("hsluvloss", "colorloss", "lumaloss", "cosimloss", "averageloss", "bicubicloss", "nccloss"),
        "there is no loss of colour, luma or mean here: l1 and charbonnier see all channels",
    ),
    "gradientvarianceloss": "there is no gradient variance here; gradient compares first differences",
}  # fmt: skip

OPTIMIZERS: dict[str, str] = {
    "adamw": "AdamW",
    "adam": "Adam",
    "schedulefreeadamw": "ScheduleFreeAdamW",
    "adamwschedulefree": "ScheduleFreeAdamW",
    "adamwsf": "ScheduleFreeAdamW",
}

OPTIMIZER_ABSENT: dict[str, dict[str, object]] = {
    "AdamW": {"weight_decay": 0.01, "betas": [0.9, 0.999]},
    "Adam": {"weight_decay": 0.0, "betas": [0.9, 0.999]},
    "ScheduleFreeAdamW": {},
}
"""What torch takes there where the key is left out."""

_OTF = (
    "degradations on the fly are written anew here, as datasets.train.degradations: blur, noise, jpeg, resize"
)
_GAN = "GAN training is not done here: it lowers PSNR and SSIM"
_AE = "autoencoders are not trained here"
_VIDEO = "video is not trained here"
_MOA = "MixUp and its kin are not here"
_LOADER = "pictures are read by the trainer's own threads, as many as it needs"
_FOLDERS = "folders are where SRQUEUE_HOME and SRQUEUE_RUNS say"
_ALWAYS = "always so here"

LOST: dict[str, str] = {
    "network_d": _GAN,
    "train.optim_d": _GAN,
    "path.pretrain_network_d": _GAN,
    "path.param_key_d": _GAN,
    "path.strict_load_d": _GAN,
    "network_ae": _AE,
    "train.optim_ae": _AE,
    "path.pretrain_network_ae*": _AE,
    "num_gpu": "a job trains on one GPU; queue one job for each",
    "fast_matmul": "TF32 stays off: it changes the last digits",
    "compile_mode": "torch.compile runs in its default mode",
    "detect_anomaly": "train.divergence_guard watches for NaN instead",
    "datasets.train.meta_info": "all pictures of a folder are taken; make a folder of those that are wanted",
    "datasets.train.io_backend": "pictures are read from folders",
    "datasets.train.mean": "pictures are trained on as they are, in 0..1",
    "datasets.train.std": "pictures are trained on as they are, in 0..1",
    "datasets.train.color": "all three channels are trained on",
    "datasets.train.filename_tmpl": "pairs are found by their names: rename what has another pattern",
    "datasets.train.clip_size": _VIDEO,
    "path.resume_state": "their states mean nothing here; path.pretrain_network_g starts from weights",
    "path.ignore_resume_networks": "their states mean nothing here",
    "path.pretrain_network_g_ema": "one file of weights is started from: path.pretrain_network_g",
    "train.use_moa": _MOA,
    "train.moa_*": _MOA,
    "val.save_img": "one picture is kept, export/comparison.png",
    "val.tile_*": "a validation picture that does not fit whole is cut by itself where needed",
    "logger.save_checkpoint_freq": "checkpoints are saved by time: logger.save_checkpoint_seconds",
    "logger.wandb": "events.jsonl in the run folder holds every figure",
    "onnx": "ONNX is exported from the finished model",
    "high_order_degradation*": _OTF,
    "dataroot_lq_prob": _OTF,
    "lq_usm*": _OTF,
    **dict.fromkeys(
        ("thicklines_prob", "blur_prob*", "resize_*", "gaussian_noise_prob*", "noise_range*", "poisson_*",
         "gray_noise_prob*", "jpeg_*", "queue_size", "dataset.train.dataroot_kernel",
         "datasets.train.blur_*", "datasets.train.kernel_*", "datasets.train.sinc_prob*",
         "datasets.train.betag_range*", "datasets.train.betap_range*", "datasets.train.final_*"), _OTF
    ),
}  # fmt: skip
"""Keys, or patterns of them, that change the result and cannot be had here, and why."""

UNLESS: dict[str, object] = {
    "num_gpu": ("auto", 1),
    "fast_matmul": (False,),
    "compile_mode": ("default",),
    "detect_anomaly": (False,),
    "datasets.train.io_backend": ({"type": "disk"},),
    "datasets.train.filename_tmpl": ("{}",),
    "path.strict_load_d": (True,),
    "train.use_moa": (False,),
    "val.save_img": (False,),
    "val.tile_size": (0,),
    "high_order_degradation": (False,),
    "dataroot_lq_prob": (0, 0.0),
}
"""Values that ask for nothing."""

SWITCHED_BY: dict[str, str] = {_OTF: "high_order_degradation", _MOA: "train.use_moa"}
"""Why -> the key that must be true for these to mean anything."""

NEEDLESS: dict[str, str] = {
    "is_train": _ALWAYS,
    "deterministic": _ALWAYS,
    "auto_resume": _ALWAYS,
    "model_type": _ALWAYS,
    "train.ema_power": "the average's decay grows by itself at the start",
    "train.scheduler.last_epoch": _ALWAYS,
    **dict.fromkeys(("dist", "dist_params", "launcher", "rank", "world_size", "watch", "root_path",
                     "find_unused_parameters"), "there is one process a training"),
    **dict.fromkeys(("datasets.*.num_worker_per_gpu", "datasets.*.pin_memory",
                     "datasets.*.persistent_workers", "datasets.*.prefetch_*",
                     "datasets.*.num_prefetch_queue", "datasets.*.use_shuffle",
                     "datasets.*.phase", "datasets.*.scale"), _LOADER),
    "datasets.*.dataset_enlarge_ratio": "crops are drawn without end: a small set is not enlarged",
    "datasets.val*.*": "validation pictures are taken whole",
    **dict.fromkeys(("path.experiments_root", "path.models", "path.resume_models", "path.training_states",
                     "path.log", "path.visualization", "path.results_root"), _FOLDERS),
    "path.pretrain_network_g_path": _FOLDERS,
    "path.param_key_g": "weights are safetensors without a key",
    "val.metrics*": "PSNR and SSIM are always measured, on Y and RGB, without a border of `scale` pixels",
    "val.suffix": "one picture is kept, export/comparison.png",
    "val.pbar": "srqueue watch shows progress",
    "logger.use_tb_logger": "events.jsonl in the run folder holds every figure",
    "logger.save_checkpoint_format": "always safetensors",
}  # fmt: skip
"""Keys that change no result, or what they ask for is so anyway."""
