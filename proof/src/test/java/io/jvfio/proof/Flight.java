// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.text.ParseException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/** A recording that is under way, of the events of jvfio. */
public final class Flight implements AutoCloseable {
  private final Recording recording;

  private Flight(Recording recording) {
    this.recording = recording;
  }

  /**
   * Records what {@code jvfio.jfc} says, but interrupts however short they are, and NVMe commands
   * from {@code nvmeThreshold} on.
   */
  public static Flight bySettings(String nvmeThreshold) {
    var changed = new HashMap<>(settings().getSettings());
    changed.put("jvfio.NvmeCommand#threshold", nvmeThreshold);
    changed.put("jvfio.NvmeServedCommand#threshold", nvmeThreshold);
    changed.put("jvfio.InterruptWait#threshold", "0 ns");
    changed.put("jvfio.InterruptHandler#threshold", "0 ns");
    var recording = new Recording(changed);
    recording.start();
    return new Flight(recording);
  }

  /** The settings that are shipped. */
  public static Configuration settings() {
    try (var in = Flight.class.getClassLoader().getResourceAsStream("META-INF/jvfio.jfc")) {
      return Configuration.create(
          new InputStreamReader(requireNonNull(in, "jvfio.jfc"), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ParseException e) {
      throw new AssertionError(e);
    }
  }

  /** Records with all events of jvfio turned off. */
  public static Flight ofNothing() {
    var recording = new Recording();
    settings().getSettings().keySet().stream()
        .map(key -> key.substring(0, key.indexOf('#')))
        .distinct()
        .forEach(recording::disable);
    recording.start();
    return new Flight(recording);
  }

  /** Ends it; the events of jvfio, in the order in which they began. */
  public List<RecordedEvent> end() {
    try {
      recording.stop();
      var file = Files.createTempFile("jvfio", ".jfr");
      try {
        recording.dump(file);
        return RecordingFile.readAllEvents(file).stream()
            .filter(event -> event.getEventType().getName().startsWith("jvfio."))
            .sorted(Comparator.comparing(RecordedEvent::getStartTime))
            .toList();
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Those of one type. */
  public static List<RecordedEvent> of(List<RecordedEvent> events, String name) {
    return events.stream()
        .filter(event -> event.getEventType().getName().equals("jvfio." + name))
        .toList();
  }

  @Override
  public void close() {
    recording.close();
  }
}
