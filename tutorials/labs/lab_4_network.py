# %% [markdown]
# # Lab 4: an int8 network from nothing
#
# You write all that an int8 network for handwritten digits needs, with NumPy alone, and end with
# the bits of refquant, so with those of PyTorch on a server. It goes with the lectures *Folding*,
# *Requantization* and *Networks*, uses what you wrote in labs 1 and 2, and takes about three hours.
# It needs scikit-learn: `pip install "refquant[demo]"`.
#
# Images are `image[row, column, channel]`, in uint8.

# %%
import numpy as np

import refquant
from refquant import course
from refquant.demo import data, schemes, training

refquant.backends.quantized.engine = "fbgemm"

# %% [markdown]
# ## From the float network


# %% 4.1
def fold(w, b, gamma, beta, mean, var, eps):
    ### BEGIN SOLUTION
    factor = gamma / np.sqrt(var + eps)
    return w * factor.reshape(-1, *[1] * (w.ndim - 1)), (b - mean) * factor + beta
    ### END SOLUTION


# %% 4.2
def quantize_pixels(x, scale):
    ### BEGIN SOLUTION
    steps = np.rint(x * (np.float32(1) / np.float32(scale)))
    return np.clip(steps, 0, 255).astype(np.uint8)
    ### END SOLUTION


# %% [markdown]
# ## One layer


# %% 4.3
def patches(image, zero_point):
    ### BEGIN SOLUTION
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=zero_point)
    slices = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.concatenate(slices, axis=-1)
    ### END SOLUTION


# %% 4.4
def accumulate(rows, q_w, z_x):
    ### BEGIN SOLUTION
    return (rows.astype(np.int32) - z_x) @ q_w.astype(np.int32).T
    ### END SOLUTION


# %% 4.5
def add_bias(acc, bias, s_x, s_w):
    ### BEGIN SOLUTION
    unit = np.float32(s_x) * s_w.astype(np.float32)
    return acc.astype(np.float32) + bias / unit
    ### END SOLUTION


# %% 4.6
def requantize(total, s_x, s_w, s_o, z_o, relu):
    ### BEGIN SOLUTION
    m = np.float32(s_x) * s_w.astype(np.float32) / np.float32(s_o)
    return np.clip(np.rint(total * m) + z_o, z_o if relu else 0, 255).astype(np.uint8)
    ### END SOLUTION


# %% 4.7
def max_pool(image):
    ### BEGIN SOLUTION
    height, width, channels = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    ### END SOLUTION


# %% 4.8
def flatten(image):
    ### BEGIN SOLUTION
    return image.transpose(2, 0, 1).reshape(-1)
    ### END SOLUTION


# %% [markdown]
# ## The network


# %% 4.9
def infer(network, image):
    ### BEGIN SOLUTION
    s_x, z_x = network["scale"], network["zero_point"]
    x = quantize_pixels(image, s_x)[:, :, None]
    for name in ("conv1", "conv2", "fc1", "fc2"):
        layer = network[name]
        is_convolution = name.startswith("conv")
        if name == "fc1":
            x = flatten(x)
        rows = patches(x, z_x) if is_convolution else x
        q_w = layer["q_w"].reshape(len(layer["q_w"]), -1)
        total = add_bias(accumulate(rows, q_w, z_x), layer["bias"], s_x, layer["s_w"])
        s_o, z_o = layer["scale"], layer["zero_point"]
        x = requantize(total, s_x, layer["s_w"], s_o, z_o, relu=name != "fc2")
        if is_convolution:
            x = max_pool(x)
        s_x, z_x = s_o, z_o
    return x
    ### END SOLUTION


# %% [markdown]
# ## Real digits
#
# refquant trains a network, calibrates it and quantizes it. We take its integers and scales, and
# nothing else.

# %%
digits = data.load_digits()
trained = training.train(digits.train, epochs=3, show=False)
calibration = [digits.calibration.pixels]
model = schemes.quantize_statically(schemes.fuse(trained), schemes.PER_CHANNEL, calibration)


def layer_of(module):
    weight = module.weight()
    q_w = weight.int_repr().numpy()
    return {
        "q_w": q_w.transpose(0, 2, 3, 1) if q_w.ndim == 4 else q_w,
        "s_w": weight.q_per_channel_scales().numpy(),
        "bias": module.bias().detach().numpy(),
        "scale": module.scale,
        "zero_point": module.zero_point,
    }


network = {name: layer_of(getattr(model, name)) for name in ("conv1", "conv2", "fc1", "fc2")}
network["scale"] = model.quant.scale.item()
network["zero_point"] = int(model.quant.zero_point.item())

# %% [markdown]
# Your network on the test images. It knows the digits, and every output has the bits of refquant.

# %%
images, labels = digits.test.pixels.numpy()[:, 0], digits.test.labels.numpy()
outputs = np.array([infer(network, image) for image in images])
print(f"{np.mean(outputs.argmax(axis=1) == labels):.1%} of {len(labels)} digits are right")

expected = model(digits.test.pixels).numpy()
fc2 = network["fc2"]
real = np.float32(fc2["scale"]) * (outputs.astype(np.float32) - fc2["zero_point"])
assert np.array_equal(real, expected)
print(f"all {real.size} outputs are those of refquant")
