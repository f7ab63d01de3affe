"""The typical gateway's one address."""

from django.urls import path

from bench.baselines.typical.views import SendMessage

urlpatterns = [path("send-message", SendMessage.as_view())]
