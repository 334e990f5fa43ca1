"""Four invented readers and the topics offered to them: data only, for `digest demo` and tests."""

from __future__ import annotations

from typing import TypedDict


class SampleTopic(TypedDict):
    """A topic in the words of a `[[topic]]` setting."""

    slug: str
    name: str
    #: one line for the subscribe form
    description: str
    #: what it is about, in prose
    text: str
    keywords: list[str]


class SampleSubscriber(TypedDict):
    """A reader in the words of `digest subscribers add`; lists may be empty."""

    email: str
    #: slugs of SAMPLE_TOPICS
    topics: list[str]
    interests: list[str]
    keywords: list[str]
    exclude: list[str]
    authors: list[str]
    zone: str
    send_at: str
    cadence: str


SAMPLE_TOPICS: list[SampleTopic] = [
    {
        "slug": "language-models",
        "name": "Language models",
        "description": "How they are built, trained and made to reason",
        "text": (
            "Large language models: architectures, pretraining, tokenizers, fine-tuning, "
            "distillation, reasoning with chains of thought, retrieval and long contexts."
        ),
        "keywords": ["language model", "pretraining", "transformer", "distillation"],
    },
    {
        "slug": "efficient-models",
        "name": "Efficient models",
        "description": "The same quality for less time, memory and money",
        "text": (
            "Making models cheap to run: sparse attention, key-value caches, mixture of experts, "
            "pruning, quantisation, few-step sampling and fast inference."
        ),
        "keywords": ["sparse attention", "KV cache", "mixture of experts", "pruning", "inference"],
    },
    {
        "slug": "images-and-video",
        "name": "Images and video",
        "description": "Seeing, generating and editing pictures",
        "text": (
            "Computer vision and generative models of images, video and scenes: diffusion, flow "
            "matching, reconstruction, relighting, restoration and document understanding."
        ),
        "keywords": ["diffusion", "video", "text-to-image", "Gaussian splatting"],
    },
    {
        "slug": "agents-and-code",
        "name": "Agents and code",
        "description": "Programs that act, use tools and write programs",
        "text": (
            "Agents that use tools and computers, work in teams or repair software; models that "
            "generate code, with tests and compilers as judges."
        ),
        "keywords": ["agent", "tool use", "code model", "program synthesis"],
    },
    {
        "slug": "reinforcement-learning",
        "name": "Reinforcement learning",
        "description": "Learning from rewards, in games, proofs and the real world",
        "text": (
            "Reinforcement learning: reward design, offline learning, world models, planning, "
            "verifiable rewards and policies that improve by practice."
        ),
        "keywords": ["reinforcement learning", "reward", "policy", "world model"],
    },
    {
        "slug": "robotics",
        "name": "Robotics",
        "description": "Machines that walk, grasp and help in the house",
        "text": (
            "Robots that learn: manipulation, touch, legged locomotion, teams of robots, transfer "
            "from simulation to hardware and learning in homes."
        ),
        "keywords": ["robot", "manipulation", "sim-to-real", "quadruped"],
    },
    {
        "slug": "speech-and-languages",
        "name": "Speech and languages",
        "description": "Sound, translation and the world's smaller languages",
        "text": (
            "Speech recognition, synthesis and translation, audio and acoustics, multilingual "
            "models, corpora and methods for languages with little data."
        ),
        "keywords": ["speech", "translation", "multilingual", "low-resource languages", "audio"],
    },
    {
        "slug": "life-and-health",
        "name": "Life and health",
        "description": "Proteins, cells, patients and landscapes",
        "text": (
            "Machine learning in biology and medicine: protein structure, drug discovery, cells "
            "under the microscope, radiology, intensive care and ecology."
        ),
        "keywords": ["protein", "cell", "radiology", "patients", "drug"],
    },
    {
        "slug": "safety",
        "name": "Safety and alignment",
        "description": "Models that can be trusted, and how to find out",
        "text": (
            "Safety and alignment of models: calibration and honest abstention, back doors, "
            "unlearning, memorisation, auditing and judging of models by models."
        ),
        "keywords": ["alignment", "calibration", "back door", "unlearning", "audit"],
    },
]

SAMPLE_SUBSCRIBERS: list[SampleSubscriber] = [
    {
        "email": "mara@example.org",
        "topics": ["language-models"],
        "interests": ["sparse attention that keeps long contexts cheap"],
        "keywords": ["KV cache"],
        "exclude": ["theorem proving"],
        "authors": [],
        "zone": "Europe/Berlin",
        "send_at": "07:30",
        "cadence": "daily",
    },
    {
        "email": "theo@example.org",
        "topics": ["images-and-video"],
        "interests": ["changing the light in photographs and restoring old film"],
        "keywords": ["diffusion"],
        "exclude": ["satellite"],
        "authors": ["Hana Dvořáková"],
        "zone": "America/New_York",
        "send_at": "08:00",
        "cadence": "weekdays",
    },
    {
        "email": "nanami@example.org",
        "topics": ["robotics", "reinforcement-learning"],
        "interests": ["robots that practise at home with nobody to reset them"],
        "keywords": ["sim-to-real"],
        "exclude": [],
        "authors": ["Haruka Minobe"],
        "zone": "Asia/Tokyo",
        "send_at": "19:00",
        "cadence": "weekdays",
    },
    {
        "email": "suresh@example.org",
        "topics": ["life-and-health", "speech-and-languages"],
        "interests": ["machine translation for languages with little text"],
        "keywords": ["protein"],
        "exclude": ["auctioneers"],
        "authors": [],
        "zone": "Asia/Kolkata",
        "send_at": "06:45",
        "cadence": "daily",
    },
]
