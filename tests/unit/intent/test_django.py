"""Django's models, asked in a process of their own: settings are made once per process."""

import json
import textwrap

import pytest

from unit.intent.test_sqlalchemy import run

MODELS = """
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class User(models.Model):
    code = models.CharField(max_length=9, unique=True)

    class Meta:
        db_table = '"auth"."people"'


class Tag(models.Model):
    pass


class Order(models.Model):
    user = models.ForeignKey(User, models.CASCADE, db_constraint=False)
    buyer = models.ForeignKey(User, models.SET_NULL, null=True, to_field="code", db_column="bought_by", related_name="+")
    guard = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    other = models.ForeignKey("self", models.DO_NOTHING, null=True)
    usual = models.OneToOneField(Tag, models.SET_DEFAULT, default=1)
    chosen = models.ForeignKey(Tag, models.SET(1), related_name="+")
    content_type = models.ForeignKey(ContentType, models.RESTRICT)
    object_id = models.PositiveIntegerField()
    subject = GenericForeignKey("content_type", "object_id")
    tags = models.ManyToManyField(Tag, related_name="+")


class Special(Order):
    pass


class Shown(Order):
    class Meta:
        proxy = True
"""


@pytest.fixture
def project(tmp_path):
    """A project with one application."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "models.py").write_text(textwrap.dedent(MODELS).lstrip())
    (tmp_path / "site_settings.py").write_text(
        'INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]\nDEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n'
    )
    return tmp_path


def test_models(project):
    """Constraints or not, columns and tables of other names, tables in between; generic relations and proxies are left out."""
    found = json.loads(run(project, "django:site_settings"))

    assert sorted(found) == sorted(
        [
            ["shop/models.py:18", "shop_order", 3],
            ["shop/models.py:19", "shop_order", 4],
            ["shop/models.py:20", "shop_order", 2],
            ["shop/models.py:21", "shop_order", 0],
            ["shop/models.py:22", "shop_order", 5],
            ["shop/models.py:23", "shop_order", 0],
            ["shop/models.py:24", "shop_order", 2],
            ["shop/models.py:27", "shop_order_tags", 3],
            ["shop/models.py:27", "shop_order_tags", 3],
            ["shop/models.py:30", "shop_special", 3],
        ]
    )


@pytest.mark.parametrize(
    ("spec", "begin"),
    [
        ("django:nowhere.settings", "nowhere.settings cannot be imported from "),
        ("django:", "django: needs the module of the settings"),
        ("django:bad_settings", "Django cannot be set up with bad_settings: ModuleNotFoundError: No module named 'not_there'."),
    ],
)
def test_what_cannot_be_set_up_is_one_sentence(project, spec, begin):
    """Whatever the settings say."""
    (project / "bad_settings.py").write_text('INSTALLED_APPS = ["not_there"]\n')

    assert run(project, spec).startswith(begin)
