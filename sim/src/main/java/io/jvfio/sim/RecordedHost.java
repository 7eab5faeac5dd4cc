// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import io.jvfio.VfioException;
import io.jvfio.linux.Kernel;
import io.jvfio.sim.recording.HostRecorder;
import io.jvfio.sim.recording.Recording;
import io.jvfio.sim.recording.RecordingReader;
import io.jvfio.sim.recording.RecordingWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A recording of a host, from which a simulated one is made that answers as it did: devices,
 * groups, IOMMU, what negotiation was answered, and the rights of the process that recorded it. It
 * is a text that people can read, change and compare. Immutable.
 *
 * <p>A device has its configuration space and BARs, whose registers read as zeros, unless it is
 * QEMU's NVMe controller, which is there as on every simulated host; {@link HostOptions#withModels}
 * gives others a model.
 */
public final class RecordedHost {
  /** A file of ten thousand devices is shorter. */
  private static final int LARGEST = 64 << 20;

  private final Recording recording;

  private RecordedHost(Recording recording) {
    this.recording = recording;
  }

  /**
   * Records a host. Nothing is left changed: groups that may be opened are negotiated with, as
   * {@code VfioHost.probe} does. The recording is opened and recorded in turn, and where it answers
   * otherwise than the host did, {@link #notSeen} says so.
   *
   * @param kernel the host's
   * @param name the name of the recording: letters, digits, dots and dashes
   * @throws VfioException if its sysfs cannot be read
   */
  public static RecordedHost record(Kernel kernel, String name) {
    var recording = HostRecorder.record(kernel, name);
    var recorded = parse("the recording", RecordingWriter.text(recording));
    try (var same = recorded.open()) {
      return recorded.with(recording.differences(HostRecorder.record(same.kernel(), name)));
    }
  }

  private RecordedHost with(List<String> differences) {
    var all = Stream.concat(recording.notSeen().stream(), differences.stream()).toList();
    return new RecordedHost(new Recording(recording.description(), recording.settings(), all));
  }

  /**
   * Reads a recording.
   *
   * @throws IllegalArgumentException if there is no such file, or it is no recording; the message
   *     says in which line, and what is expected there
   */
  public static RecordedHost read(Path file) {
    try (var stream = Files.newInputStream(file)) {
      // A device or a pipe has no size that could be asked before.
      var bytes = stream.readNBytes(LARGEST + 1);
      if (bytes.length > LARGEST) {
        throw new IllegalArgumentException(file + " is too large for the recording of a host");
      }
      var text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return parse(file.toString(), text);
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("there is no file " + file, e);
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(file + " is no text in UTF-8", e);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * Reads the text of a recording.
   *
   * @param file its name, for errors
   * @throws IllegalArgumentException if it is none
   */
  public static RecordedHost parse(String file, String text) {
    return new RecordedHost(RecordingReader.read(file, text));
  }

  /** Its text, as {@link #read} reads it; the same recording always has the same. */
  public String text() {
    return RecordingWriter.text(recording);
  }

  /** A sentence for each thing that could not be seen, and what stands in its place. */
  public List<String> notSeen() {
    return recording.notSeen();
  }

  /** Its description in one sentence. */
  public String description() {
    return recording.description().description();
  }

  /** The rights and limits of the process that recorded it. */
  public HostOptions options() {
    return HostOptions.of(recording.settings());
  }

  /** Starts a simulated host like it. Each call starts another one. */
  public SimulatedHost open() {
    return open(options());
  }

  /**
   * Starts a simulated host like it.
   *
   * @param options what differs; {@link #options()} to begin with
   * @throws IllegalArgumentException if {@code options} name what it does not have
   */
  public SimulatedHost open(HostOptions options) {
    return new SimulatedHost(recording.description(), options.settings());
  }

  /** Its name. */
  @Override
  public String toString() {
    return recording.description().name();
  }
}
