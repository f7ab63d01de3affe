"""The typical gateway's accept: a serializer, an ORM insert, ``delay``."""

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.baselines.typical.models import ApiKey, Message
from bench.baselines.typical.tasks import send_message


class SendSerializer(serializers.Serializer):
    """What a customer sends."""

    to = serializers.RegexField(r"^[1-9][0-9]{6,14}$")
    message = serializers.CharField(max_length=4096)


class MessageSerializer(serializers.ModelSerializer):
    """What a customer gets."""

    class Meta:
        model = Message
        fields = ["id", "to", "status", "created_at"]


class SendMessage(APIView):
    """``POST /send-message``."""

    def post(self, request: Request) -> Response:
        """Check the key, store, hand to Celery."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = ApiKey.objects.filter(key=token).first()
        if key is None:
            return Response({"error": "Invalid API key."}, status=status.HTTP_401_UNAUTHORIZED)
        serializer = SendSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        message = Message.objects.create(
            api_key=key, phone_number_id="700000000001", to=data["to"], body=data["message"]
        )
        send_message.delay(message.pk)
        return Response(MessageSerializer(message).data, status=status.HTTP_202_ACCEPTED)
