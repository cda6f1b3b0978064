import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A KV cache over memcache-gateway, with the standard library only (Java 11 or newer).
 *
 * <pre>java KvCache.java          GATEWAY_URL=http://127.0.0.1:8080  GATEWAY_TOKEN=mcg_...</pre>
 *
 * It stores blocks, asks how many of them are there, reads one, and removes them. A program with a JSON
 * library reads the members of the responses with that.
 */
public final class KvCache {
  private static final int BLOCK_BYTES = 61 * (131_072 + 16_384);
  private static final int ATTEMPTS = 4;

  /** A problem of the gateway (RFC 9457); `problem` is its name, for example "object-not-found". */
  static final class GatewayException extends IOException {
    private static final long serialVersionUID = 1;

    final String problem;

    GatewayException(int status, String problem, String body) {
      super(status + " " + problem + ": " + body);
      this.problem = problem;
    }
  }

  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(10))
          .build();
  private final String url;
  private final String token;

  KvCache(String url, String token) {
    this.url = url;
    this.token = token;
  }

  /** Stores bytes under a new key. An object cannot be changed. */
  void put(String key, byte[] value) throws IOException, InterruptedException {
    send(request(object(key)).PUT(HttpRequest.BodyPublishers.ofByteArray(value)));
  }

  /** The bytes of an object; empty if there is none. */
  Optional<byte[]> get(String key) throws IOException, InterruptedException {
    try {
      return Optional.of(send(request(object(key)).GET()));
    } catch (GatewayException error) {
      if (error.problem.equals("object-not-found")) return Optional.empty();
      throw error;
    }
  }

  void remove(String key) throws IOException, InterruptedException {
    send(request(object(key)).DELETE());
  }

  /** How many of the keys, from the first on, are there: the blocks that need no prefill. */
  int leading(List<String> keys) throws IOException, InterruptedException {
    String names = keys.stream().map(KvCache::quoted).collect(Collectors.joining(","));
    String body = "{\"keys\":[" + names + "],\"until\":\"missing\"}";
    HttpRequest.Builder request =
        request("/v1/batch/exists")
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body));
    String answer = new String(send(request), StandardCharsets.UTF_8);
    return Integer.parseInt(member(answer, "leading", "(\\d+)"));
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  /** The path of a key. A slash belongs to the key and needs no escape. */
  private static String object(String key) {
    return "/v1/objects/"
        + Arrays.stream(key.split("/", -1))
            .map(part -> URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20"))
            .collect(Collectors.joining("/"));
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(60));
    return token == null ? builder : builder.header("Authorization", "Bearer " + token);
  }

  private byte[] send(HttpRequest.Builder builder) throws IOException, InterruptedException {
    HttpRequest request = builder.build();
    for (int attempt = 1; ; attempt++) {
      HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      if (response.statusCode() < 300) return response.body();
      String problem = new String(response.body(), StandardCharsets.UTF_8);
      boolean retryable = member(problem, "retryable", "(true|false)").equals("true");
      if (!retryable || attempt == ATTEMPTS) {
        String name = member(problem, "type", "\"/problems/([^\"]*)\"");
        throw new GatewayException(response.statusCode(), name, problem);
      }
      Thread.sleep(1000 * Long.parseLong(response.headers().firstValue("Retry-After").orElse("1")));
    }
  }

  private static String member(String json, String name, String value) throws IOException {
    Matcher matcher = Pattern.compile('"' + name + "\"\\s*:\\s*" + value).matcher(json);
    if (!matcher.find()) throw new IOException("no " + name + " in " + json);
    return matcher.group(1);
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }

  public static void main(String[] arguments) throws Exception {
    KvCache cache =
        new KvCache(setting("GATEWAY_URL", "http://127.0.0.1:8080"), setting("GATEWAY_TOKEN", null));
    String prefix = "guides/java/" + ProcessHandle.current().pid() + "/";
    List<String> keys =
        IntStream.range(0, 4).mapToObj(block -> prefix + block).collect(Collectors.toList());
    byte[] block = new byte[BLOCK_BYTES];
    new Random().nextBytes(block);
    for (String key : keys.subList(0, 3)) cache.put(key, block);
    System.out.printf("stored %d blocks of %d bytes%n", keys.size() - 1, block.length);
    System.out.printf("%d of %d blocks are there%n", cache.leading(keys), keys.size());
    byte[] fetched = cache.get(keys.get(0)).orElseThrow();
    System.out.println(Arrays.equals(fetched, block) ? "the bytes are equal" : "the bytes differ");
    System.out.println("a missing block: " + cache.get(keys.get(3)).isPresent());
    for (String key : keys.subList(0, 3)) cache.remove(key);
    System.out.println("removed the blocks");
  }
}
