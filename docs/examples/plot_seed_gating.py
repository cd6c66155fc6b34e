"""
One adapter for three tasks
===========================

:class:`~deepreservoir.SeedGatedClassifier`: the seed of the frozen weights selects what the same
trained parameters recognise.
"""

# %%
# The first task is to tell the digits 1, 2 and 3 apart, the second 4, 5 and 6, the third 7, 8 and
# 9. All tasks share one adapter and one head over nine digits.

import matplotlib.pyplot as plt
import numpy as np

from deepreservoir import SeedGatedClassifier, load_dataset

digits = load_dataset("digits")
names = ("123", "456", "789")


def tasks_of(y):
    return np.array(names)[(y - 1) // 3]


train, test = digits.y_train > 0, digits.y_test > 0  # 0 is in no task
X_train, y_train = digits.X_train[train], digits.y_train[train]
X_test, y_test = digits.X_test[test], digits.y_test[test]

model = SeedGatedClassifier(
    (128, 64),
    rank=4,
    scaffold_seeds={"123": 42, "456": 43, "789": 44},
    max_iter=60,
    random_state=0,
)
model.fit(X_train, y_train, task=tasks_of(y_train))
print(f"{model.n_trained_params_:,} trained parameters for three tasks")

# %%
# Each row of the picture is one set of digits, and each column the seed that they are shown to. On
# the seed of another task, the model predicts the digits of that task.

accuracy = np.array(
    [
        [model.score(X_test[rows], y_test[rows], task=seed) for seed in names]
        for rows in (tasks_of(y_test) == name for name in names)
    ]
)
figure, axes = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
axes.imshow(accuracy, cmap="Blues", vmin=0, vmax=1)
for i, row in enumerate(accuracy):
    for j, value in enumerate(row):
        axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="w" if value > 0.5 else "k")
axes.set_xticks(range(3), names)
axes.set_yticks(range(3), names)
axes.set(xlabel="seed of the task", ylabel="digits shown", title="accuracy")
plt.show()
