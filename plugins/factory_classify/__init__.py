"""Classifiers: the task, its objective, its baselines and its metrics."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugins of this package."""
    from factory_classify.classification_metrics import ClassificationMetrics as Metrics
    from factory_classify.classification_objective import ClassificationObjective
    from factory_classify.embedding_baselines import Centroid, Knn, Linear
    from factory_classify.lexical_baselines import Majority, TfIdf
    from factory_classify.multi_label_metrics import MultiLabelMetrics
    from factory_classify.multi_label_objective import MultiLabelObjective
    from factory_classify.task import Classifier

    return [
        Centroid, ClassificationObjective, Classifier, Knn, Linear, Majority, Metrics, MultiLabelMetrics,
        MultiLabelObjective, TfIdf,
    ]
