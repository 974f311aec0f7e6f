"""The official Python client 1.x over every method it has, against a server of Mimeo."""
import asyncio
import collections.abc
import io
import json
import os
import tempfile
import time
import unittest

os.environ["REPLICATE_POLL_INTERVAL"] = "0.05"

import replicate  # noqa: E402
from replicate.exceptions import ModelError, ReplicateError  # noqa: E402
from replicate.webhook import InvalidSignatureError, WebhookSigningSecret, Webhooks  # noqa: E402

from harness import TOKEN, FaultProxy, Receiver, Server, version_of  # noqa: E402

NOOP, WORDS = "test/noop:" + version_of("noop"), "test/text_list:" + version_of("text_list")
COPY, SLEEP = "test/copy_file:" + version_of("copy_file"), version_of("sleep")


def setUpModule():
    global server, client
    server = Server("--allow-private-urls")
    client = replicate.Client(api_token=TOKEN, base_url=server.url)


def tearDownModule():
    server.stop()


def run(coroutine):
    return asyncio.run(coroutine)


def new_client(url=None, token=TOKEN):
    """Async methods need a client of their own: it belongs to one event loop."""
    return replicate.Client(api_token=token, base_url=url or server.url)


class Run(unittest.TestCase):
    def test_run_by_version_waits_and_asks_for_the_schema(self):
        proxy = FaultProxy(server.port)
        try:
            self.assertEqual(new_client(proxy.url).run(NOOP, input={"text": "now"}), "now")
        finally:
            proxy.stop()
        self.assertEqual(proxy.seen, [("POST", "/v1/predictions"), ("GET", "/v1/models/test/noop/versions/" + version_of("noop"))])

    def test_run_by_name(self):
        self.assertEqual(client.run("test/noop", input={"text": "by name"}), "by name")

    def test_run_of_an_iterator_gives_an_iterator(self):
        output = client.run(WORDS, input={"text": "one two three"})
        self.assertIsInstance(output, collections.abc.Iterator)
        self.assertEqual(list(output), ["one", "two", "three"])

    def test_run_without_waiting_polls(self):
        output = client.run(WORDS, input={"text": "a b c", "pause_ms": 60}, wait=False)
        self.assertEqual(list(output), ["a", "b", "c"])

    def test_run_with_a_short_wait_goes_on_polling(self):
        self.assertEqual("".join(client.run(WORDS, input={"text": "x y", "pause_ms": 900}, wait=1)), "xy")

    def test_run_gives_a_readable_file(self):
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(b"the bytes")
            file.flush()
            with open(file.name, "rb") as opened:
                output = client.run(COPY, input={"image": opened})
        self.assertEqual(output.read(), b"the bytes")
        self.assertEqual(b"".join(output), b"the bytes")

    def test_run_of_a_file_as_base64(self):
        output = client.run(COPY, input={"image": io.BytesIO(b"inline")}, file_encoding_strategy="base64")
        self.assertEqual(output.read(), b"inline")

    def test_failed_run_raises_the_models_error(self):
        with self.assertRaises(ModelError) as raised:
            client.run("test/crash", input={})
        self.assertTrue(raised.exception.prediction.error)

    def test_async_run(self):
        self.assertEqual(run(new_client().async_run(NOOP, input={"text": "async"})), "async")

    def test_unknown_token(self):
        with self.assertRaises(ReplicateError) as raised:
            new_client(token="r8_unknown").run("test/noop", input={})
        self.assertEqual((raised.exception.status, raised.exception.title), (401, "Unauthenticated"))
        self.assertEqual(raised.exception.detail, "You did not pass a valid authentication token")


class Streaming(unittest.TestCase):
    def test_stream(self):
        events = list(client.stream(WORDS, input={"text": "once upon a time"}))
        kinds = [e.event.value for e in events]
        self.assertEqual([e.data for e in events if e.event.value == "output"], ["once", "upon", "a", "time"])
        self.assertEqual((kinds.count("done"), kinds[-1]), (1, "done"))
        self.assertTrue(all(e.id for e in events))

    def test_stream_by_name_of_an_official_test_model(self):
        text = "".join(str(e) for e in client.stream("test/text_list", input={"text": "a b"}))
        self.assertTrue(text.startswith("ab"))

    def test_stream_of_a_failure_raises(self):
        with self.assertRaises(RuntimeError):
            list(client.stream("test/crash", input={}))

    def test_async_stream(self):
        async def collect():
            return [str(e) async for e in await new_client().async_stream(WORDS, input={"text": "x y"})]

        self.assertEqual(run(collect())[:2], ["x", "y"])

    def test_prediction_stream(self):
        prediction = client.predictions.create(version=version_of("text_list"), input={"text": "p q"}, stream=True)
        self.assertEqual([str(e) for e in prediction.stream()][:2], ["p", "q"])


class Predictions(unittest.TestCase):
    def test_create_get_wait_reload(self):
        prediction = client.predictions.create(version=version_of("noop"), input={"text": "t"})
        self.assertEqual((prediction.status, prediction.error, prediction.logs), ("starting", None, ""))
        prediction.wait()
        self.assertEqual((prediction.status, prediction.output), ("succeeded", "t"))
        self.assertGreaterEqual(prediction.metrics["total_time"], prediction.metrics["predict_time"])
        again = client.predictions.get(prediction.id)
        again.reload()
        self.assertEqual((again.id, again.version, again.model), (prediction.id, version_of("noop"), "test/noop"))

    def test_async_methods(self):
        async def all_of_them():
            own = new_client()
            prediction = await own.predictions.async_create(version=version_of("noop"), input={"text": "t"})
            await prediction.async_wait()
            await prediction.async_reload()
            page = await own.predictions.async_list()
            found = await own.predictions.async_get(prediction.id)
            slow = await own.predictions.async_create(version=SLEEP, input={"seconds": 30})
            await slow.async_cancel()
            other = await own.predictions.async_create(version=SLEEP, input={"seconds": 30})
            canceled = await own.predictions.async_cancel(other.id)
            return prediction.output, found.id in [p.id for p in page.results], slow.status, canceled.status

        self.assertEqual(run(all_of_them()), ("t", True, "canceled", "canceled"))

    def test_cancel(self):
        prediction = client.predictions.create(version=SLEEP, input={"seconds": 30})
        prediction.cancel()
        self.assertEqual(prediction.status, "canceled")
        other = client.predictions.create(version=SLEEP, input={"seconds": 30})
        self.assertEqual(client.predictions.cancel(other.id).status, "canceled")

    def test_list_pages(self):
        before = client.predictions.list()
        for i in range(101):
            client.predictions.create(version=version_of("noop"), input={"text": str(i)})
        page = client.predictions.list()
        self.assertEqual((len(page.results), page.previous), (100, None))
        second = client.predictions.list(cursor=page.next)
        self.assertFalse({p.id for p in page.results} & {p.id for p in second.results})
        everything = [p.id for page in replicate.paginate(client.predictions.list) for p in page.results]
        self.assertEqual(len(everything), len(set(everything)))
        self.assertGreaterEqual(len(everything), 101 + len(before.results[:1]))

    def test_output_iterator(self):
        prediction = client.predictions.create(version=version_of("text_list"), input={"text": "a b c", "pause_ms": 60})
        self.assertEqual(list(prediction.output_iterator()), ["a", "b", "c"])

    def test_async_output_iterator(self):
        async def collect():
            prediction = await new_client().predictions.async_create(version=version_of("text_list"), input={"text": "a b", "pause_ms": 40})
            return [chunk async for chunk in prediction.async_output_iterator()]

        self.assertEqual(run(collect()), ["a", "b"])

    def test_bad_input_is_a_422(self):
        with self.assertRaises(ReplicateError) as raised:
            client.predictions.create(version=version_of("text_list"), input={})
        self.assertEqual((raised.exception.status, raised.exception.title), (422, "Input validation failed"))
        self.assertEqual(raised.exception.detail, "- input: text is required\n")

    def test_unknown_version(self):
        with self.assertRaises(ReplicateError) as raised:
            client.predictions.create(version="0" * 64, input={})
        self.assertEqual((raised.exception.status, raised.exception.title), (422, "Invalid version or not permitted"))

    def test_model_and_deployment_forms(self):
        self.assertEqual(client.predictions.create(model="test/noop", input={}).model, "test/noop")


class Models(unittest.TestCase):
    def test_list_get_versions(self):
        page = client.models.list()
        self.assertTrue(page.results and len(page.results) <= 25)
        names = {m.id for page in replicate.paginate(client.models.list) for m in page.results}
        self.assertIn("test/noop", names)
        model = client.models.get("test/noop")
        model.reload()
        self.assertEqual(client.models.get("test", "noop").name, model.name)
        versions = model.versions.list()
        self.assertEqual(versions.results[0].id, version_of("noop"))
        version = model.versions.get(version_of("noop"))
        self.assertIsInstance(version.cog_version, str)
        self.assertIn("Input", version.openapi_schema["components"]["schemas"])

    def test_search(self):
        self.assertIn("test/text_list", [m.id for m in client.models.search("text_list").results])

    def test_create_delete(self):
        username = client.accounts.current().username
        model = client.models.create(owner=username, name="fresh", visibility="private", hardware="cpu", description="Mine.")
        self.assertEqual((model.owner, model.name, model.visibility, model.run_count), (username, "fresh", "private", 0))
        with self.assertRaises(ReplicateError) as raised:
            client.models.create(owner=username, name="fresh", visibility="private", hardware="cpu")
        self.assertIn("A model with that name and owner already exists.", str(raised.exception))
        self.assertTrue(client.models.delete(username, "fresh"))
        with self.assertRaises(ReplicateError) as raised:
            client.models.get(username, "fresh")
        self.assertEqual(raised.exception.status, 404)

    def test_predictions_create(self):
        prediction = client.models.predictions.create(model="test/noop", input={"text": "m"}, wait=True)
        self.assertEqual((prediction.status, prediction.output), ("succeeded", "m"))

    def test_async_methods(self):
        async def all_of_them():
            own = new_client()
            username = (await own.accounts.async_current()).username
            page = await own.models.async_list()
            found = await own.models.async_search("noop")
            model = await own.models.async_get("test/noop")
            await own.models.async_create(owner=username, name="afresh", visibility="private", hardware="cpu")
            deleted = await own.models.async_delete(username, "afresh")
            prediction = await own.models.predictions.async_create(model="test/noop", input={}, wait=True)
            versions = await model.versions.async_list()
            version = await model.versions.async_get(versions.results[0].id)
            return bool(page.results), bool(found.results), deleted, prediction.status, version.id

        self.assertEqual(run(all_of_them()), (True, True, True, "succeeded", version_of("noop")))


class Rest(unittest.TestCase):
    def test_collections(self):
        page = client.collections.list()
        self.assertTrue(page.results and all(isinstance(c.description, str) for c in page.results))
        collection = client.collections.get(page.results[0].slug)
        self.assertGreater(len(collection), 0)
        self.assertEqual(len(collection), len(list(collection)))

    def test_hardware_and_account(self):
        self.assertIn("cpu", [h.sku for h in client.hardware.list()])
        self.assertTrue(client.accounts.current().username)

    def test_files(self):
        file = client.files.create(io.BytesIO(b"hello"), metadata={"of": "mine"})
        self.assertEqual((file.size, file.checksums["md5"]), (5, "5d41402abc4b2a76b9719d911017c592"))
        self.assertEqual(client.files.get(file.id).metadata, {"of": "mine"})
        self.assertIn(file.id, [f.id for f in client.files.list()])
        self.assertTrue(client.files.delete(file.id))
        with self.assertRaises(ReplicateError) as raised:
            client.files.get(file.id)
        self.assertEqual(raised.exception.detail, "File not found")

    def test_deployments(self):
        account = client.accounts.current().username
        made = client.deployments.create(name="app", model="test/noop", version=version_of("noop"), hardware="cpu", min_instances=0, max_instances=2)
        self.assertEqual((made.owner, made.name, made.current_release.number), (account, "app", 1))
        self.assertEqual(made.current_release.configuration.max_instances, 2)
        self.assertIn("app", [d.name for d in client.deployments.list().results])
        deployment = client.deployments.get(f"{account}/app")
        prediction = deployment.predictions.create(input={"text": "deployed"})
        prediction.wait()
        self.assertEqual((prediction.output, prediction.version), ("deployed", version_of("noop")))
        again = client.deployments.predictions.create(deployment=(account, "app"), input={"text": "again"})
        again.wait()
        self.assertEqual(again.output, "again")
        changed = client.deployments.update(deployment_owner=account, deployment_name="app", max_instances=3)
        self.assertEqual((changed.current_release.number, changed.current_release.configuration.max_instances), (2, 3))
        self.assertTrue(client.deployments.delete(account, "app"))

    def test_async_deployments_and_files(self):
        async def all_of_them():
            own = new_client()
            account = (await own.accounts.async_current()).username
            await own.deployments.async_create(name="aapp", model="test/noop", version=version_of("noop"), hardware="cpu", min_instances=0, max_instances=1)
            await own.deployments.async_update(deployment_owner=account, deployment_name="aapp", max_instances=2)
            deployment = await own.deployments.async_get(f"{account}/aapp")
            prediction = await own.deployments.predictions.async_create(deployment=(account, "aapp"), input={"text": "d"})
            await prediction.async_wait()
            names = [d.name for d in (await own.deployments.async_list()).results]
            deleted = await own.deployments.async_delete(account, "aapp")
            file = await own.files.async_create(io.BytesIO(b"x"))
            same = await own.files.async_get(file.id)
            listed = file.id in [f.id for f in await own.files.async_list()]
            gone = await own.files.async_delete(file.id)
            hardware = await own.hardware.async_list()
            collections = await own.collections.async_list()
            collection = await own.collections.async_get(collections.results[0].slug)
            return deployment.name, prediction.output, "aapp" in names, deleted, same.id == file.id, listed, gone, bool(hardware), bool(collection.slug)

        self.assertEqual(run(all_of_them()), ("aapp", "d", True, True, True, True, True, True, True))

    def test_trainings(self):
        account = client.accounts.current().username
        client.models.create(owner=account, name="trained", visibility="private", hardware="cpu")
        training = client.trainings.create(version="test/trainable:" + version_of("trainable"), input={"word": "learned"}, destination=f"{account}/trained")
        self.assertEqual(training.status, "starting")
        for _ in range(400):
            training.reload()
            if training.status in ("succeeded", "failed", "canceled"):
                break
            time.sleep(0.05)
        self.assertEqual(training.status, "succeeded")
        self.assertEqual(training.output["version"].split(":")[0], f"{account}/trained")
        self.assertIn(training.id, [t.id for t in client.trainings.list().results])
        self.assertEqual(client.trainings.get(training.id).id, training.id)
        self.assertEqual(client.trainings.cancel(training.id).status, "succeeded")
        self.assertEqual(client.run(training.output["version"], input={}), "learned")
        with self.assertRaises(ReplicateError) as raised:
            client.trainings.create(version="test/trainable:" + version_of("trainable"), input={"word": "x"}, destination=f"{account}/nowhere")
        self.assertEqual(raised.exception.detail, "The specified training destination does not exist")

    def test_webhooks(self):
        receiver = Receiver()
        try:
            prediction = client.predictions.create(version=version_of("noop"), input={"text": "w"}, webhook=receiver.url, webhook_events_filter=["start", "completed"])
            deliveries = receiver.wait(2)
        finally:
            receiver.stop()
        self.assertEqual([json.loads(body)["status"] for _, body in deliveries], ["processing", "succeeded"])
        self.assertEqual(json.loads(deliveries[1][1])["id"], prediction.id)
        secret = client.webhooks.default.secret()
        self.assertTrue(secret.key.startswith("whsec_"))
        self.assertEqual(receiver.paths, ["/hook?of=mine", "/hook?of=mine"])
        for headers, body in deliveries:
            Webhooks.validate(headers=headers, body=body, secret=secret, tolerance=300)
        with self.assertRaises(InvalidSignatureError):
            Webhooks.validate(headers=deliveries[0][0], body=deliveries[0][1] + " ", secret=secret)
        with self.assertRaises(InvalidSignatureError):
            Webhooks.validate(headers=deliveries[0][0], body=deliveries[0][1], secret=WebhookSigningSecret(key="whsec_" + "A" * 32))
        self.assertEqual(run(new_client().webhooks.default.async_secret()).key, secret.key)


class Retries(unittest.TestCase):
    """What the client does when the network or the server fails, and that it never makes two predictions of one call."""

    @classmethod
    def setUpClass(cls):
        cls.proxy = FaultProxy(server.port)
        cls.client = new_client(cls.proxy.url)

    @classmethod
    def tearDownClass(cls):
        cls.proxy.stop()

    def created(self, call):
        before = total()
        call()
        return total() - before

    def test_get_is_tried_again_after_429_503_504(self):
        prediction = client.predictions.create(version=version_of("noop"), input={})
        self.proxy.reset(*[("GET", "/v1/predictions/", fault) for fault in ((429, 0), (503, 0), (504, 0))])
        self.assertEqual(self.client.predictions.get(prediction.id).id, prediction.id)
        self.assertEqual(self.proxy.count("GET", "/v1/predictions/"), 4)

    def test_create_is_not_tried_again(self):
        for fault in (429, 500, 503):
            self.proxy.reset(("POST", "/v1/predictions", fault))

            def create():
                with self.assertRaises(ReplicateError):
                    self.client.predictions.create(version=version_of("noop"), input={})

            self.assertEqual(self.created(create), 0)
            self.assertEqual(self.proxy.count("POST", "/v1/predictions"), 1)

    def test_lost_answer_makes_one_prediction(self):
        self.proxy.reset(("POST", "/v1/predictions", "lose"))

        def create():
            with self.assertRaises(Exception):
                self.client.predictions.create(version=version_of("noop"), input={"text": "lost"})

        self.assertEqual(self.created(create), 1)

    def test_own_throttle_is_understood(self):
        slow = Server("--creates-per-minute", "2")
        try:
            limited = new_client(slow.url)
            for _ in range(2):
                limited.predictions.create(version=version_of("noop"), input={})
            with self.assertRaises(ReplicateError) as raised:
                limited.predictions.create(version=version_of("noop"), input={})
            self.assertEqual(raised.exception.status, 429)
            self.assertRegex(raised.exception.detail, r"Your rate limit resets in ~\d+s\.")
        finally:
            slow.stop()


def total():
    return sum(len(page.results) for page in replicate.paginate(client.predictions.list))


if __name__ == "__main__":
    unittest.main()
