# %% [markdown]
# # PGN Studio from Python
#
# A frozen classifier of handwritten digits is right on nine of ten. We train a generator of small additive
# perturbations (a PGN) that raises this, measure it, and save a picture. It takes a few seconds on a CPU.
# The cells run one after the other, in a notebook or as `python docs/examples/api_tutorial.py`.

# %%
import numpy as np
from PIL import Image

import pgn_studio
from pgn_studio.core.training.events import EpochCompleted

# %% [markdown]
# ## Images and a classifier
#
# A data set is a name or a folder of `class/…`. It always has the splits train, val and test; images are
# uint8 of shape (N, H, W, 3). `demo:digits` is the bundled classifier; a path to a file, or the weights of
# another program with `arch=` and `classes=`, do as well.

# %%
data = pgn_studio.load_dataset("digits", image_size=16)
classifier = pgn_studio.load_classifier("demo:digits")
test = data.split("test")
print(f"{data.name}: {len(data.classes)} classes, {len(test)} test images")

# %% [markdown]
# ## Training
#
# Settings have the names of `pgn-studio train --help`. Callbacks see every event of the training. What is
# left out has its recommended default; here a small network and few epochs are enough.


# %%
def tell(event: object) -> None:
    if isinstance(event, EpochCompleted):
        accuracy = event.perturbed_accuracy_8bit
        print(f"epoch {event.epoch}: validation accuracy {event.clean_accuracy:.3f} -> {accuracy:.3f}")


run = pgn_studio.train(
    data, classifier, out="tutorial-run", callbacks=[tell], encoder="small", epochs=2, device="cpu"
)
print(run.path, run.metrics["perturbed_accuracy_8bit"])

# %% [markdown]
# ## Perturbing images
#
# A PGN is called with images: floats (N, 3, H, W) in [0, 1] or uint8 (N, H, W, 3), and gives the perturbed
# images alike. γ weighs how small the perturbation is to be; this PGN serves a range of it.
# `pgn_studio.load_pgn("tutorial-run")` loads the same PGN later. It is told what the classifier says of an
# image: then `classifier=` is needed, which `run.pgn` knows.

# %%
pgn = run.pgn
images = test.images(range(8))
perturbed = pgn(images)
stronger = pgn(images, gamma=pgn.gammas.low) if pgn.gammas else perturbed
print("largest change of a byte:", np.abs(stronger.astype(int) - images).max())

# %% [markdown]
# ## Measuring
#
# On the test images, which neither network has seen. The figures are attributes; `to_json()` has all.

# %%
result = pgn_studio.evaluate(pgn, classifier, data, device="cpu")
print(f"accuracy {result.clean_accuracy:.3f} -> {result.perturbed_accuracy_8bit:.3f}")
print(f"fixed {result.fixed_8bit}, broken {result.broken_8bit}, RMS {result.rms_mean:.3f}")

# %% [markdown]
# ## A picture
#
# Above the images, then the perturbed ones, below those at the strongest γ; four times their size.

# %%
rows = [np.concatenate(list(row), axis=1) for row in (images, perturbed, stronger)]
sheet = np.concatenate(rows, axis=0)  # (3·16, 8·16, 3)
Image.fromarray(sheet.repeat(4, axis=0).repeat(4, axis=1)).save("tutorial.png")
