"""PyTorch's training step and forward pass of a config, as functions to be timed beside ours."""

import importlib.util

import jax


def build(config, image, depth):
    """Builds the training step and the forward pass in PyTorch, if it is installed.

    The networks and losses are ours, see `pytorch_networks` and `pytorch_step`. They do not have moving averages,
    gradient accumulation and rematerialisation, which the configs of these networks do not use.

    Args:
      config: a ConfigDict.
      image: float32 [B, H, W, 3] in [0, 1], of the config's crop size.
      depth: float32 [B, H, W], metres.

    Returns:
      {name: {"train_step": function, "forward": function}} for two memory layouts and PyTorch's compiler. The functions
      take no arguments and return when they are done. Empty without PyTorch, for a network that is not in
      `pytorch_networks.NETWORKS`, or if jax uses a GPU that PyTorch cannot use.
    """
    if not importlib.util.find_spec("torch"):
        return {}
    import torch

    from jaxdepth.benchmark import pytorch_networks

    accelerated = jax.default_backend() == "gpu"
    if config.model.name not in pytorch_networks.NETWORKS or (accelerated and not torch.cuda.is_available()):
        return {}
    if accelerated:  # the precision is jax's default
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    torch.compiler.reset()  # otherwise it compiles for any size after it has seen two
    version = f"pytorch {torch.__version__.split('+')[0]}"
    device = "cuda" if accelerated else "cpu"
    image, depth = torch.from_numpy(image).to(device).permute(0, 3, 1, 2), torch.from_numpy(depth).to(device)
    plain, last = torch.contiguous_format, torch.channels_last
    return {
        f"{version}, contiguous": _functions(config, image, depth, layout=plain, compiled=False),
        f"{version}, channels last": _functions(config, image, depth, layout=last, compiled=False),
        f"{version}, channels last, compiled": _functions(config, image, depth, layout=last, compiled=True),
    }


def _functions(config, image, depth, *, layout, compiled):
    """{"train_step": .., "forward": ..} of a new network; `image` [B, 3, H, W] is copied to the memory layout."""
    import torch

    from jaxdepth.benchmark import pytorch_networks, pytorch_step

    arguments = {name: value for name, value in config.model.to_dict().items() if name != "dtype"}
    network = pytorch_networks.build(**arguments, size=image.shape[2:], mean_log_depth=0.9)
    network.to(image.device, memory_format=layout)
    image, device = image.contiguous(memory_format=layout), image.device.type
    autocast = torch.autocast(device, torch.bfloat16, enabled=config.model.dtype == "bfloat16")
    options = dict(optimizer_settings=config.optim.to_dict(), stop_gradient=config.gate.stop_gradient)
    train_step = pytorch_step.make_train_step(network, gate=0, lam=config.loss.lam, autocast=autocast, **options)
    if compiled:
        network.compile(dynamic=False)

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    def train():
        train_step(image, depth)
        wait()

    def forward():
        network.eval()
        with torch.inference_mode(), autocast:
            network(image)
        wait()

    return {"train_step": train, "forward": forward}
