"""What a JobSet of jobset.x-k8s.io/v1alpha2 may have, as far as launch/gke needs to know.

Written by hand from the fields of the project's Go types. Unknown fields are refused, although the
real schema has a few more (groupName, coordinator, managedBy …). A Job's own template is left to
the schema of Kubernetes.
"""

NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}


def fields(required=(), **properties):
    """Gives the schema of an object that has no other fields."""
    return {
        "type": "object", "properties": properties, "required": list(required),
        "additionalProperties": False,
    }


RULE = fields(
    required=("name", "action"),
    name={"type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
    action={"enum": [
        "FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts", "RestartJob",
        "RestartJobAndIgnoreMaxRestarts",
    ]},
    onJobFailureReasons=STRINGS,
    onJobFailureMessagePatterns=STRINGS,
    targetReplicatedJobs=STRINGS,
)
REPLICATED_JOB = fields(
    required=("name", "template"),
    name=NAME,
    replicas=COUNT,
    template=fields(required=("spec",), metadata={"type": "object"}, spec={"type": "object"}),
    dependsOn={
        "type": "array", "maxItems": 1,
        "items": fields(("name", "status"), name=NAME, status={"enum": ["Ready", "Complete"]}),
    },
)
JOBSET = fields(
    required=("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata={"type": "object", "required": ["name"]},
    spec=fields(
        required=("replicatedJobs",),
        replicatedJobs={"type": "array", "minItems": 1, "items": REPLICATED_JOB},
        network=fields(
            enableDNSHostnames={"type": "boolean"}, subdomain=NAME,
            publishNotReadyAddresses={"type": "boolean"},
        ),
        successPolicy=fields(
            ("operator",), operator={"enum": ["All", "Any"]}, targetReplicatedJobs=STRINGS
        ),
        failurePolicy=fields(
            maxRestarts=COUNT,
            restartStrategy={"enum": ["Recreate", "BlockingRecreate", "InPlaceRestart"]},
            rules={"type": "array", "items": RULE},
        ),
        suspend={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
    ),
)
