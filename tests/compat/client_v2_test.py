"""The official Python client 2 (beta) over every method it has, against a server of Mimeo."""
import asyncio
import io
import os
import tempfile
import time
import unittest

os.environ["REPLICATE_POLL_INTERVAL"] = "0.05"
os.environ["REPLICATE_API_TOKEN"] = "r8_0123456789abcdefghijABCDEFGHIJ0123456"

import replicate  # noqa: E402
from replicate import AsyncReplicate, Replicate  # noqa: E402
from replicate.exceptions import ModelError  # noqa: E402

from harness import TOKEN, FaultProxy, Server, version_of  # noqa: E402

NOOP, WORDS, COPY = ("test/%s" % name for name in ("noop", "text_list", "copy_file"))


def setUpModule():
    global server, client
    server = Server("--allow-private-urls")
    os.environ["REPLICATE_BASE_URL"] = server.url + "/v1"
    client = Replicate(bearer_token=TOKEN)


def tearDownModule():
    client.close()
    server.stop()


def run(coroutine):
    async def with_client():
        async with AsyncReplicate(bearer_token=TOKEN, base_url=server.url + "/v1") as own:
            return await coroutine(own)

    return asyncio.run(with_client())


def poll(get, until=("succeeded", "failed", "canceled")):
    for _ in range(400):
        found = get()
        if found.status in until:
            return found
        time.sleep(0.05)
    raise AssertionError("still " + found.status)


class Use(unittest.TestCase):
    def test_use_gives_the_output(self):
        proxy = FaultProxy(server.port)
        os.environ["REPLICATE_BASE_URL"] = proxy.url + "/v1"
        try:
            self.assertEqual(replicate.use(NOOP)(text="used"), "used")
        finally:
            os.environ["REPLICATE_BASE_URL"] = server.url + "/v1"
            proxy.stop()
        kinds = [(method, path) for method, path in proxy.seen if not path.startswith("/v1/predictions/")]
        self.assertEqual(kinds, [("GET", "/v1/models/test/noop"), ("GET", "/v1/models/test/noop/versions"), ("POST", "/v1/predictions")])
        polls = proxy.seen[len(kinds):]
        self.assertTrue(polls and all(method == "GET" and path.startswith("/v1/predictions/") for method, path in polls))

    def test_use_of_a_version(self):
        self.assertEqual(replicate.use(f"{NOOP}:{version_of('noop')}")(text="v"), "v")

    def test_use_of_an_iterator(self):
        self.assertEqual(list(replicate.use(WORDS)(text="a b c")), ["a", "b", "c"])

    def test_use_streaming_by_polling(self):
        words = list(replicate.use(WORDS, streaming=True)(text="a b c d", pause_ms=60))
        self.assertEqual(words, ["a", "b", "c", "d"])

    def test_use_of_a_model_without_versions_posts_to_the_model(self):
        owner = client.account.get().username
        client.models.create(owner=owner, name="versionless", visibility="private", hardware="cpu")
        with self.assertRaises(replicate.NotFoundError):
            replicate.use(f"{owner}/versionless")(text="x")

    def test_use_gives_files_as_paths(self):
        file = client.files.create(content=b"some bytes")
        output = replicate.use(COPY)(image=file.urls.get)
        with open(output, "rb") as copy:
            self.assertEqual(copy.read(), b"some bytes")

    def test_use_create_logs_and_output(self):
        made = replicate.use(WORDS).create(text="a b")
        self.assertEqual(list(made.output()), ["a", "b"])
        self.assertIn("a word of 1 bytes", made.logs())

    def test_use_of_a_failure_raises(self):
        with self.assertRaises(ModelError):
            replicate.use("test/crash")()

    def test_async_use(self):
        os.environ["REPLICATE_BASE_URL"] = server.url + "/v1"
        self.assertEqual(asyncio.run(replicate.use(NOOP, use_async=True)(text="async")), "async")

    def test_run(self):
        self.assertEqual(client.run(NOOP, input={"text": "run"}), "run")
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(b"file bytes")
            file.flush()
            with open(file.name, "rb") as opened:
                self.assertEqual(client.run(COPY, input={"image": opened}).read(), b"file bytes")
        self.assertEqual(run(lambda own: own.run(NOOP, input={"text": "run"})), "run")

    def test_stream_is_polling(self):
        self.assertEqual([str(chunk) for chunk in client.stream(WORDS, input={"text": "x y"})], ["x", "y"])


class Predictions(unittest.TestCase):
    def test_create_wait_get_list_cancel(self):
        made = client.predictions.create(version=version_of("noop"), input={"text": "p"})
        self.assertEqual((made.status, made.error, made.data_removed), ("starting", None, False))
        self.assertTrue(made.urls.web.endswith(made.id))
        done = client.predictions.wait(made.id)
        self.assertEqual((done.status, done.output), ("succeeded", "p"))
        self.assertEqual(client.predictions.get(prediction_id=made.id).id, made.id)
        self.assertIn(made.id, [p.id for p in client.predictions.list()])
        slow = client.predictions.create(version=version_of("sleep"), input={"seconds": 30})
        self.assertEqual(client.predictions.cancel(prediction_id=slow.id).status, "canceled")

    def test_prefer_and_cancel_after(self):
        made = client.predictions.create(version=version_of("sleep"), input={"seconds": 30}, prefer="wait=1", cancel_after="1m30s")
        self.assertEqual(made.status, "starting")
        self.assertEqual((made.deadline - made.created_at).total_seconds(), 90)
        client.predictions.cancel(prediction_id=made.id)

    def test_sync_create_gives_the_end(self):
        self.assertEqual(client.predictions.create(version=version_of("noop"), input={"text": "s"}, prefer="wait").output, "s")

    def test_list_goes_through_all_pages(self):
        for i in range(103):
            client.predictions.create(version=version_of("noop"), input={"text": str(i)})
        ids = [p.id for p in client.predictions.list()]
        self.assertGreaterEqual(len(ids), 103)
        self.assertEqual(len(ids), len(set(ids)))

    def test_errors_by_kind(self):
        with self.assertRaises(replicate.UnprocessableEntityError):
            client.predictions.create(version=version_of("text_list"), input={})
        with self.assertRaises(replicate.NotFoundError):
            client.predictions.get(prediction_id="a" * 26)
        with self.assertRaises(replicate.AuthenticationError):
            Replicate(bearer_token="r8_unknown").account.get()

    def test_async(self):
        async def all_of_them(own):
            made = await own.predictions.create(version=version_of("noop"), input={"text": "a"}, prefer="wait")
            got = await own.predictions.get(prediction_id=made.id)
            listed = [p.id async for p in own.predictions.list()]
            slow = await own.predictions.create(version=version_of("sleep"), input={"seconds": 30})
            canceled = await own.predictions.cancel(prediction_id=slow.id)
            by_model = await own.models.predictions.create(model_owner="test", model_name="noop", input={"text": "m"}, prefer="wait")
            return made.output, got.id == made.id, made.id in listed, canceled.status, by_model.output

        self.assertEqual(run(all_of_them), ("a", True, True, "canceled", "m"))


class Models(unittest.TestCase):
    def test_list_get_versions_readme_examples(self):
        self.assertIn("noop", [m.name for m in client.models.list()])
        model = client.models.get(model_owner="test", model_name="noop")
        self.assertEqual(model.latest_version.id if hasattr(model.latest_version, "id") else model.latest_version["id"], version_of("noop"))
        versions = client.models.versions.list(model_owner="test", model_name="noop")
        self.assertEqual(versions.results[0].id, version_of("noop"))
        version = client.models.versions.get(model_owner="test", model_name="noop", version_id=version_of("noop"))
        self.assertIn("components", version.openapi_schema)
        self.assertIn("test suite", client.models.readme.get(model_owner="test", model_name="noop"))
        examples = [e.id for e in client.models.examples.list(model_owner="stability-ai", model_name="sdxl")]
        self.assertEqual(len(examples), 1)

    def test_search(self):
        self.assertIn("text_list", [m.name for m in client.models.search(body="text_list")])
        found = client.search(query="text_list")
        self.assertEqual(found.models[0].model.name, "text_list")

    def test_create_update_delete(self):
        owner = client.account.get().username
        made = client.models.create(owner=owner, name="own", visibility="private", hardware="cpu")
        self.assertEqual((made.owner, made.run_count), (owner, 0))
        with self.assertRaises(replicate.ConflictError):
            client.models.create(owner=owner, name="own", visibility="private", hardware="cpu")
        changed = client.models.update(model_owner=owner, model_name="own", description="Changed.", readme="# Own")
        self.assertEqual(changed.description, "Changed.")
        self.assertEqual(client.models.readme.get(model_owner=owner, model_name="own"), "# Own")
        client.models.delete(model_owner=owner, model_name="own")
        with self.assertRaises(replicate.NotFoundError):
            client.models.get(model_owner=owner, model_name="own")


class Rest(unittest.TestCase):
    def test_account_hardware_collections_secret(self):
        self.assertIn(client.account.get().type, ("user", "organization"))
        self.assertIn("cpu", [h.sku for h in client.hardware.list()])
        slugs = [c.slug for c in client.collections.list()]
        self.assertTrue(client.collections.get(collection_slug=slugs[0]).models is not None)
        self.assertTrue(client.webhooks.default.secret.get().key.startswith("whsec_"))

    def test_files(self):
        file = client.files.create(content=b"hello", filename="a.txt", type="text/plain", metadata={"of": "mine"})
        self.assertEqual((file.size, file.name, file.content_type), (5, "a.txt", "text/plain"))
        self.assertEqual(client.files.get(file_id=file.id).checksums.sha256, file.checksums.sha256)
        self.assertIn(file.id, [f.id for f in client.files.list()])
        client.files.delete(file_id=file.id)
        with self.assertRaises(replicate.NotFoundError):
            client.files.get(file_id=file.id)

    def test_deployments(self):
        owner = client.account.get().username
        made = client.deployments.create(name="two", model=NOOP, version=version_of("noop"), hardware="cpu", min_instances=0, max_instances=1)
        self.assertEqual(made.current_release.number, 1)
        changed = client.deployments.update(deployment_owner=owner, deployment_name="two", max_instances=2)
        self.assertEqual(changed.current_release.number, 2)
        self.assertEqual(client.deployments.get(deployment_owner=owner, deployment_name="two").name, "two")
        self.assertIn("two", [d.name for d in client.deployments.list()])
        prediction = client.deployments.predictions.create(deployment_owner=owner, deployment_name="two", input={"text": "d"}, prefer="wait")
        self.assertEqual(prediction.output, "d")
        client.deployments.delete(deployment_owner=owner, deployment_name="two")
        with self.assertRaises(replicate.NotFoundError):
            client.deployments.get(deployment_owner=owner, deployment_name="two")

    def test_trainings(self):
        owner = client.account.get().username
        client.models.create(owner=owner, name="trained2", visibility="private", hardware="cpu")
        made = client.trainings.create(model_owner="test", model_name="trainable", version_id=version_of("trainable"), destination=f"{owner}/trained2", input={"word": "beta"})
        done = poll(lambda: client.trainings.get(training_id=made.id))
        self.assertEqual((done.status, done.output.version.split(":")[0]), ("succeeded", f"{owner}/trained2"))
        self.assertIn(made.id, [t.id for t in client.trainings.list()])
        self.assertEqual(client.trainings.cancel(training_id=made.id).status, "succeeded")
        self.assertEqual(replicate.use(done.output.version)(), "beta")
        with self.assertRaises(replicate.BadRequestError):
            client.trainings.create(model_owner="test", model_name="noop", version_id=version_of("noop"), destination=f"{owner}/trained2", input={})


class Retries(unittest.TestCase):
    """This client sends any request up to three times: what that makes of a create, with and without a key."""

    @classmethod
    def setUpClass(cls):
        cls.proxy = FaultProxy(server.port)
        cls.client = Replicate(bearer_token=TOKEN, base_url=cls.proxy.url + "/v1")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.proxy.stop()

    def created(self, fault, **options):
        text = os.urandom(8).hex()
        self.proxy.reset(("POST", "/v1/predictions", fault))
        made = self.client.predictions.create(version=version_of("noop"), input={"text": text}, **options)
        same = [p.id for p in client.predictions.list() if p.input.get("text") == text]
        self.assertIn(made.id, same)
        return len(same), self.proxy.count("POST", "/v1/predictions")

    def test_injected_errors_make_one_prediction(self):
        for fault in ((429, 0), 408, 500, 503, "drop"):
            self.assertEqual(self.created(fault), (1, 2), fault)

    def test_lost_answer_with_a_key_makes_one_prediction(self):
        key = {"Idempotency-Key": os.urandom(8).hex()}
        self.assertEqual(self.created("lose", extra_headers=key), (1, 2))

    def test_lost_answer_without_retries_makes_one_prediction(self):
        text = os.urandom(8).hex()
        self.proxy.reset(("POST", "/v1/predictions", "lose"))
        with self.assertRaises(replicate.APIConnectionError):
            self.client.with_options(max_retries=0).predictions.create(version=version_of("noop"), input={"text": text})
        self.assertEqual(len([p for p in client.predictions.list() if p.input.get("text") == text]), 1)

    def test_own_throttle_is_waited_for(self):
        slow = Server("--creates-per-minute", "60")
        try:
            own = Replicate(bearer_token=TOKEN, base_url=slow.url + "/v1")
            for _ in range(61):
                own.predictions.create(version=version_of("noop"), input={})
        finally:
            slow.stop()

    def test_gets_are_tried_again(self):
        self.proxy.reset(("GET", "/v1/account", 500), ("GET", "/v1/account", "drop"))
        self.assertTrue(self.client.account.get().username)


if __name__ == "__main__":
    unittest.main()
