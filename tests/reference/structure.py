"""Warde-Farley et al. (2015), section 4, and Ng, Jordan and Weiss (2002), as they are written."""

import numpy as np

from tests.reference import heads


def confusions(best, labels, num_classes):
    """Eq. 3: how often class i is detected where class j is the truth."""
    counts = np.zeros((num_classes, num_classes))
    for detected, truths in zip(best, labels, strict=True):
        for i in set(detected):
            for j in set(truths):
                counts[i, j] += 1
    return counts


def co_detections(best, num_classes):
    """Eq. 4: how often classes i and j are detected together."""
    return confusions(best, best, num_classes)


def embed(matrix, num_clusters):
    """The first eigenvectors of D^-1/2 B D^-1/2, B = AᵀA with a diagonal of 0."""
    similarity = matrix.T @ matrix
    similarity = similarity - np.diag(np.diag(similarity))
    scale = 1 / np.sqrt(similarity.sum(axis=1))
    _, vectors = np.linalg.eigh(similarity * scale[:, None] * scale[None])
    rows = vectors[:, -num_clusters:]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def auxiliary_logits(inputs, stack, kernels, cluster_of_class):
    """Gives what auxiliary heads add: a stack of ReLU layers for each cluster, then its classes."""
    outputs = np.zeros((len(inputs), len(cluster_of_class)))
    for cluster in sorted(set(cluster_of_class)):
        hidden = inputs
        for name in sorted(stack):
            hidden = heads.relu(heads.dense(hidden, stack[name], cluster))
        members = [c for c, own in enumerate(cluster_of_class) if own == cluster]
        outputs[:, members] = hidden @ np.asarray(kernels[f"cluster_{cluster}"], np.float64).T
    return outputs
