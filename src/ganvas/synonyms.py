"""Words that other tools use, and what they are called here: what an error message offers in place of an unknown name.

Collected from timm, diffusers, Lightning, Keras, the StyleGAN, CycleGAN and VQGAN repositories. A text in `backticks` is advice
that can be followed as it stands; a test parses each.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from ganvas.catalog import DEFAULT_METHOD
from ganvas.errors import nearest


def _table(rows: Mapping[str, str]) -> dict[str, str]:
    """One entry for each of the words of a key."""
    table = {}
    for words, advice in rows.items():
        for word in words.split():
            assert word not in table, word
            table[word] = advice
    return table


COMMAND_SYNONYMS = _table(
    {
        "generate gen gen_images gen-images infer inference predict synthesize synthesise": "`ganvas sample RUN`",
        "fit finetune fine-tune continue run": "`ganvas train r3gan --data DATA`, or `ganvas train --resume RUN` to continue",
        "resume restart": "`ganvas train --resume RUN`",
        "eval test validate score metrics calc_metrics calc-metrics fid benchmark": "`ganvas evaluate RUN`",
        "list ls models zoo list-models list_models archs": "`ganvas methods`",
        "info show describe summary inspect status": (
            "`ganvas methods NAME` for a method, `ganvas data DATA` for a data set, `ganvas doctor RUN` for a run"
        ),
        "dataset datasets dataset_tool dataset-tool preprocess prepare prepare_data prepare-data": (
            "`ganvas data DATA` shows a data set, and `ganvas train r3gan --data DATA` reads it as it is"
        ),
        "upload publish share push_to_hub push-to-hub": "`ganvas push RUN OWNER/NAME`",
        "convert onnx to_onnx to-onnx torchscript trace deploy": "`ganvas export RUN --to onnx`",
        "save": (
            "a run folder is whole, copy it; in Python `run.save_pretrained(folder)` writes its config and weights only"
        ),
        "load download pull from_pretrained from-pretrained": (
            "a model of the hub is a run too: `ganvas sample hf:OWNER/NAME`; in Python `ganvas.from_pretrained(name)`"
        ),
        "diagnose debug check doctor-run": "`ganvas doctor RUN`",
        "augmentation synthesise-data synthetic synthetic-data oversample": "`ganvas augment DATA --out DIR`",
        "interpolate interpolation latent walk traverse style_mixing style-mixing": (
            "`ganvas edit RUN --interpolate 0 7 --out walk.png`, or --traverse for methods with codes"
        ),
        "dissect dissection interpret interpretability saliency gradcam grad-cam attribution": "`ganvas explain RUN`",
        "tokenize tokenise embed latents": "`ganvas encode RUN DATA --out codes.npz`",
        "reconstruct detokenize": "`ganvas encode RUN DATA --out codes.npz`, then `ganvas decode RUN codes.npz --out DIR`",
        "upscale superres super-resolution sr enhance denoise inpaint repair": "`ganvas restore RUN IMAGE --out DIR`",
        "style stylize neural_style neural-style transfer style-transfer": (
            "`ganvas stylise PHOTO --style PAINTING --out out.png`"
        ),
        "img2img image2image transform pix2pix cyclegan": "`ganvas translate RUN IMAGE --out DIR`",
        "plot report visualize visualise view log logs tensorboard": (
            "each run has a report.html; `ganvas compare RUN` puts runs on one page"
        ),
        "version": "`ganvas --version`",
        "usage": "`ganvas --help`",
        "sweep search tune hpo": "one `ganvas train r3gan --data DATA --set lr=0.001` each, then `ganvas compare RUN`",
    }
)

# In place of an option, without its dashes. The first key is the command; "" holds for all.
_TRAIN = {
    "lr learning-rate learningrate base-lr": "`--set lr=0.001`",
    "lr-g g-lr glr gen-lr lr-gen": "`--set lr=0.001` for G; D's is that times `--set balance=1`",
    "lr-d d-lr dlr disc-lr lr-disc": "`--set balance=1`, the learning rate of D over that of G",
    "lr-schedule lr-scheduler scheduler sched lr-policy lr-decay": "`--set decay=linear`",
    "warmup warmup-steps warmup-epochs lr-warmup-steps": "`--set warmup=100`, in steps",
    "epochs num-epochs n-epochs max-epochs epoch num-train-epochs": (
        "`--images 50000`, the images drawn (epochs times the size of the data), or `--steps 1000` or `--minutes 5`"
    ),
    "kimg total-kimg duration": "`--images 200000` (kimg times 1000)",
    "iterations iters num-iters n-iters niter max-iter max-iters": "`--steps 1000`",
    "max-steps num-steps n-steps train-steps max-train-steps total-steps": "`--steps 1000`",
    "time hours max-time time-limit budget": "`--minutes 5`",
    "batch batch-size bs b batchsize train-batch-size batch-gpu": "`--set batch_size=32`",
    "model arch architecture net network method name model-name": "the method comes first: `ganvas train r3gan --data DATA`",
    "cfg base variant": "`--preset tiny`; `ganvas methods r3gan` lists the presets",
    "optimizer opt optim": "each method has the optimiser of its paper; `--set lr=0.001`, beta1 and beta2 change it",
    "beta1 adam-beta1 b1 beta-1": "`--set beta1=0.5`",
    "beta2 adam-beta2 b2 beta-2": "`--set beta2=0.99`",
    "momentum": "`--set beta1=0.5`, Adam's first decay",
    "weight-decay wd": "`--set weight_decay=0.01`, for methods that have it",
    "dropout": "`--set dropout=0.1`, for methods that have it",
    "gamma r1-gamma r1 gp-weight": "`--set gamma=1`",
    "lambda-gp gradient-penalty lambda gp": "`--set penalty=10`",
    "n-critic critic-iters d-steps": "`--set n_critic=5`",
    "nz z-dim latent-dim latent-size noise-dim zdim embedding-dim": "`--set z_dim=64`",
    "ngf ndf nf channels-base cbase width base-channels dim hidden-dim": "`--set width=64`",
    "ema ema-decay ema-rate use-ema ema-kimg": "`--set ema=0.999`; the average is always kept",
    "aug augment augpipe augmentation ada diffaugment": "`--set augment=ada`",
    "mirror flip hflip random-flip mirror-augment": "`--set data.mirror=true`",
    "cond conditional class-cond class-conditional num-classes n-classes labels": "`--set conditional=true`",
    "size img-size image-size imsize resolution res crop-size load-size input-size": "`--set data.size=64`",
    "channels nc img-channels in-channels": "`--set data.channels=3`",
    "val-split validation-split test-split holdout": "`--set data.holdout=0.1`",
    "dataset data-dir data-path dataroot datadir train-data-dir dataset-name image-dir input train-dir root": "`--data DATA`",
    "outdir output output-dir out-dir o logdir log-dir save-dir results-dir checkpoints-dir exp experiment workdir run-dir": (
        "`--out RUN`"
    ),
    "config-name yaml hparams args": "`--config FILE.toml`",
    "checkpoint ckpt resume-from resume-from-checkpoint load continue-train": "`--resume RUN`",
    "pretrained finetune weights init-checkpoint init start-from": "`--init-from RUN`; `--resume RUN` continues a training",
    "save-every save-freq save-interval checkpointing-steps snap save-model-every checkpoint-interval checkpoint-freq": (
        "`--checkpoint-every 1000`, in steps"
    ),
    "sample-every sample-interval display-freq val-interval eval-every": "`--evaluate-every 1000`, in steps",
    "eval-interval eval-freq validation-steps val-check-interval": "`--evaluate-every 1000`, in steps",
    "metrics num-fid-samples fid-samples n-samples num-samples measure-samples": "`--samples 2000`",
    "gpus gpu-ids devices num-gpus ngpu n-gpus num-processes world-size nproc-per-node": "`--nproc 2`",
    "gpu cuda use-cuda use-gpu": "`--device cuda`",
    "cpu no-cuda no-gpu": "`--device cpu`",
    "accelerator": "`--device auto`",
    "amp fp16 bf16 half use-amp mixed-precision autocast": "`--precision bf16`",
    "fp32 no-amp": "`--precision fp32`",
    "torch-compile use-compile": "`--compile on`",
    "random-seed manual-seed manualseed rng-seed": "`--seed 0`",
    "workers num-workers j threads dataloader-num-workers": "omit it: images are decoded once and kept ready",
    "dryrun test-run fast-dev-run": "`--dry-run`",
    "silent q no-progress": "`--quiet`",
    "verbose v": "omit it: progress is shown unless `--quiet` is given",
}
OPTION_SYNONYMS: dict[str, dict[str, str]] = {
    "train": _table(_TRAIN),
    "sample": _table(
        {
            "num count samples images number num-images num-samples n-samples batch batch-size nimg num-images-per-prompt": (
                "`--n 64`"
            ),
            "seeds": "`--seed 0 --n 64`: number i has seed 0 + i",
            "class class-idx class-id y classes c cond target": "`--label CLASS`",
            "outdir output output-dir out-dir o save-dir": "`--out DIR`",
            "image-grid montage nrow": "`--grid FILE.png`",
            "gif video animation frames": "`--animate FILE.gif`",
            "trunc truncation truncation-psi psi": "`--set truncation=0.7`",
            "steps num-steps num-inference-steps inference-steps ddim-steps": "`--set sampling_steps=20`",
            "guidance guidance-scale cfg-scale w": "`--set guidance=2`",
            "temperature temp t": "`--set temperature=0.8`",
            "top-k topk": "`--set top_k=40`",
            "top-p topp": "`--set top_p=0.9`",
            "network model ckpt checkpoint weights run pkl": "the run comes first: `ganvas sample RUN`",
            "gpu cuda use-cuda": "`--device cuda`",
            "cpu no-cuda": "`--device cpu`",
            "ema use-ema": "omit it: the average is the default; `--raw` takes the weights as trained",
            "text begin start": "`--prompt TEXT`",
        }
    ),
    "evaluate": _table(
        {
            "num n num-samples n-samples num-images count": "`--samples 2000`",
            "dataset ref reference real data-dir": "`--data DATA`",
            "metrics metric fid": "omit it: `ganvas evaluate RUN` gives every figure that the method allows",
        }
    ),
    "": _table(
        {
            "output output-dir outdir out-dir o save-dir result results": "`--out`",
            "gpu cuda use-cuda": "`--device cuda`",
            "cpu no-cuda": "`--device cpu`",
            "verbose v": "omit it: it has one level of messages",
            "format": "`--json`",
        }
    ),
}

# Settings of methods, by --set NAME=VALUE, and of data, by --set data.NAME=VALUE.
SETTING_SYNONYMS = _table(
    {
        "learning_rate lr_g lr_d g_lr d_lr base_lr": "lr",
        "ttur lr_ratio": "balance",
        "batch bs batchsize train_batch_size": "batch_size",
        "latent_dim nz latent_size noise_dim zdim latent_channels": "z_dim",
        "ngf ndf nf base_channels hidden_dim channels_base": "width",
        "beta_1 adam_beta1 b1 momentum": "beta1",
        "beta_2 adam_beta2 b2": "beta2",
        "lr_scheduler lr_schedule scheduler lr_decay": "decay",
        "warmup_steps lr_warmup_steps warmup_epochs": "warmup",
        "r1_gamma r1_weight": "gamma",
        "lambda_gp gp_weight gradient_penalty_weight": "penalty",
        "critic_iters d_steps": "n_critic",
        "ema_decay ema_rate": "ema",
        "aug augmentation augpipe diffaugment ada": "augment",
        "cond class_cond class_conditional num_classes": "conditional",
        "truncation_psi psi trunc": "truncation",
        "guidance_scale cfg_scale": "guidance",
        "num_inference_steps ddim_steps": "sampling_steps",
        "temp": "temperature",
        "topk": "top_k",
        "topp": "top_p",
        "num_embeddings n_embed codebook_size": "size",
        "lambda_l1": "l1",
        "lambda_a lambda_b lambda_cycle": "cycle",
        "lambda_identity lambda_idt": "identity",
        "upscale scale_factor": "scale",
        "image_size img_size resolution imsize crop_size": "data.size",
        "flip hflip random_flip x_flip": "data.mirror",
        "img_channels in_channels nc": "data.channels",
        "val_split validation_split test_size": "data.holdout",
        "sample_rate sampling_rate sr": "data.rate",
        "duration clip_seconds": "data.seconds",
        "vocab_size": "data.vocabulary",
        "tokenizer": "data.tokens",
    }
)

# Other names of methods, and what comes nearest to methods that are not here.
METHOD_SYNONYMS = _table(
    {
        "diffusion ddpm ddim edm score_sde stable_diffusion sd sdxl ldm latent_diffusion dit rectified_flow consistency": (
            "flow_matching"
        ),
        "glow realnvp nice flow normalizing_flow cfm": "flow_matching",
        "stylegan stylegan1 stylegan3 stylegan2_ada stylegan-2 stylegan2-ada sg2": "stylegan2",
        "progan pggan biggan projected_gan fastgan gansformer": "r3gan",
        "sngan sagan sn_gan spectral": "hinge_sn",
        "wgan-gp wgangp": "wgan_gp",
        "acgan conditional_gan conditional ac_gan": "cgan",
        "vanilla_gan mlp_gan": "gan",
        "dc_gan": "dcgan",
        "ls_gan": "lsgan",
        "autoencoder ae beta_vae betavae nvae": "vae",
        "vqvae vq-vae vqgan vq_gan vqvae2": "vq_vae",
        "pixelsnail maskgit dalle image_gpt": "code_prior",
        "pixelrnn pixelcnnpp gated_pixelcnn": "pixelcnn",
        "esrgan real_esrgan realesrgan bsrgan": "srgan",
        "edsr swinir rcan srcnn super_resolution superres upscaler": "srresnet",
        "dncnn nafnet restormer denoiser": "denoise",
        "context_encoder lama deepfill inpainting": "inpaint",
        "unit munit cut cycle_gan unpaired": "cyclegan",
        "pix2pixhd spade controlnet paired": "pix2pix",
        "johnson neural_style fast_neural_style": "fast_style",
        "char_rnn lstm gru gpt transformer language_model": "rnn_text",
        "textgan leakgan maligan text_gan": "seqgan",
        "gsgan gumbel_gan": "relgan",
        "nmt machine_translation marian opus_mt encoder_decoder t5 mbart": "seq2seq",
        "samplernn audio melgan hifigan": "wavenet",
    }
)


def meant(word: str, choices: Iterable[str], table: Mapping[str, str]) -> str:
    """`"; did you mean lr?"` for a name that other tools use or that is near one of `choices`; "" where nothing is."""
    listed = list(choices)
    synonym = table.get(word.rpartition(".")[2].lower())
    if synonym in listed:
        return f"; did you mean {synonym}?"
    return nearest(word, listed)


def command_advice(word: str) -> str:
    """What to give in place of a command that other tools have: "; use `ganvas sample RUN`", or "" where none is known."""
    return _sentence(COMMAND_SYNONYMS.get(word.lower(), ""))


def option_advice(command: str, option: str) -> str:
    """The same for an option of a command."""
    word = option.lstrip("-").lower().replace("_", "-")
    return _sentence(OPTION_SYNONYMS.get(command, {}).get(word) or OPTION_SYNONYMS[""].get(word, ""))


def argument_advice(name: str, arguments: Iterable[str]) -> str:
    """The same for an argument of `ganvas.train`, which takes `arguments`: '; use settings={"lr": 0.001}'."""
    advice = OPTION_SYNONYMS["train"].get(name.lower().replace("_", "-"), "")
    code = advice.partition("`")[2].partition("`")[0]
    if code.startswith("ganvas train "):
        return f'; use method="{DEFAULT_METHOD}"'
    if not code.startswith("--"):
        return _sentence(advice)
    argument = _as_argument(shlex.split(code))
    if argument.partition("=")[0] not in arguments:
        return f"; it is an option of the command line only: {code}"
    return f"; use {argument}"


def _sentence(advice: str) -> str:
    if not advice:
        return ""
    return f"; use {advice}" if advice.startswith("`") else f"; {advice}"


def _as_argument(words: list[str]) -> str:
    """An option of `ganvas train` as an argument of `ganvas.train`."""
    name = words[0].lstrip("-").replace("-", "_")
    if len(words) == 1:
        return f"{name}=True"
    if name != "set":
        return f"{name}={_literal(words[1])}"
    setting, _, value = words[1].partition("=")
    table = "data_settings" if setting.startswith("data.") else "settings"
    return f'{table}={{"{setting.removeprefix("data.")}": {_literal(value)}}}'


def _literal(text: str) -> str:
    """A value of a command line as Python writes it."""
    if text == "true":
        return "True"
    return text if text.replace(".", "", 1).isdecimal() else f'"{text}"'
