// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;

/**
 * A mirror with faults, started by {@code lab/test-setup} and {@code lab/without}: it serves a
 * directory, or stands before the real mirror as apt's proxy. It is a program of one file, {@code
 * java Mirror.java STATE [DIRECTORY]}.
 *
 * <p>{@code STATE/rules} is read anew for each request; a line is a kind of fault and a part of the
 * paths that have it:
 *
 * <ul>
 *   <li>{@code gone}: 404;
 *   <li>{@code changed}: one bit of the last byte is another;
 *   <li>{@code busy}: 503 the first time;
 *   <li>{@code dead}: the connection ends without an answer.
 * </ul>
 *
 * <p>{@code STATE/requests} gets a line for each request, the status and the path, and {@code
 * STATE/port} says where it listens.
 */
final class Mirror {
  private static final Set<String> PASSED_ON =
      Set.of("range", "if-range", "if-modified-since", "cache-control", "accept", "user-agent");
  private static final Set<String> PASSED_BACK =
      Set.of("last-modified", "content-range", "accept-ranges", "etag", "content-type");

  private final Path state;
  private final Path directory;
  private final HttpClient client =
      HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build();
  private final Set<String> wasBusy = ConcurrentHashMap.newKeySet();

  private Mirror(Path state, Path directory) {
    this.state = state;
    this.directory = directory;
  }

  public static void main(String[] arguments) throws IOException {
    Path state = Path.of(arguments[0]);
    Mirror mirror = new Mirror(state, arguments.length > 1 ? Path.of(arguments[1]) : null);
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", mirror::answer);
    server.start();
    Path port = state.resolve("port.new");
    Files.writeString(port, server.getAddress().getPort() + "\n");
    Files.move(port, state.resolve("port"));
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      switch (fault(path)) {
        case "dead" -> log("dead", path);
        case "gone" -> send(exchange, 404, new byte[0]);
        case "busy" -> send(exchange, 503, new byte[0]);
        case "changed" -> pass(exchange, true);
        default -> pass(exchange, false);
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }

  private String fault(String path) throws IOException {
    for (String rule : Files.readAllLines(state.resolve("rules"))) {
      String[] words = rule.split(" ", 2);
      if (words.length == 2 && path.contains(words[1])) {
        return words[0].equals("busy") && !wasBusy.add(path) ? "" : words[0];
      }
    }
    return "";
  }

  private void pass(HttpExchange exchange, boolean changed)
      throws IOException, InterruptedException {
    if (directory != null) {
      Path file = directory.resolve(exchange.getRequestURI().getPath().substring(1));
      boolean there = Files.isRegularFile(file);
      byte[] content = there ? Files.readAllBytes(file) : new byte[0];
      send(exchange, there ? 200 : 404, changed ? changed(content) : content);
      return;
    }
    URI uri = exchange.getRequestURI();
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri)
            .method(exchange.getRequestMethod(), HttpRequest.BodyPublishers.noBody());
    exchange
        .getRequestHeaders()
        .forEach(
            (name, values) -> {
              if (PASSED_ON.contains(name.toLowerCase())) {
                request.header(name, String.join(", ", values));
              }
            });
    var response = client.send(request.build(), BodyHandlers.ofByteArray());
    response
        .headers()
        .map()
        .forEach(
            (name, values) -> {
              if (PASSED_BACK.contains(name.toLowerCase())) {
                exchange.getResponseHeaders().put(name, List.copyOf(values));
              }
            });
    send(exchange, response.statusCode(), changed ? changed(response.body()) : response.body());
  }

  private static byte[] changed(byte[] content) {
    if (content.length > 0) {
      content[content.length - 1] ^= 1;
    }
    return content;
  }

  private void send(HttpExchange exchange, int status, byte[] content) throws IOException {
    log(Integer.toString(status), exchange.getRequestURI().getPath());
    exchange.sendResponseHeaders(status, content.length == 0 ? -1 : content.length);
    if (content.length > 0) {
      exchange.getResponseBody().write(content);
    }
  }

  private synchronized void log(String status, String path) throws IOException {
    Files.writeString(
        state.resolve("requests"),
        status + " " + path + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }
}
